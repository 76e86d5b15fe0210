// A hub that has a bucket host, and workers as processes that a test can kill.

import type { ChildProcess } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { submitRun } from '../../../src/contract/fleet.ts'
import { addHost } from '../../../src/contract/host.ts'
import { readOutput } from '../../../src/contract/output.ts'
import { getRun, isTerminal, type Run } from '../../../src/contract/run.ts'
import { makeHome, type Served, start, until } from '../../resources/muster.ts'
import { type FixtureHub, openFixtureHub } from '../conformance/fixtures/hub.ts'

export const lookEveryMs = 300
/** The shortest: workers that look often claim for no less. */
export const leaseMs = 3_000
export const hostName = 'nightly'

export interface BucketPlaces {
  readonly bucket: string
  readonly prefix: string
  readonly endpoint?: string
}

export interface BucketHub extends AsyncDisposable {
  readonly hub: FixtureHub
  /** Where the bucket's objects are as files, of a file:// bucket. */
  readonly dir: string
  readonly place: BucketPlaces
  readonly hostId: string
  readonly token: string
  /** A worker on a home of its own, or on this one again. */
  worker(home: string, options?: readonly string[], env?: Record<string, string>): Served & { readonly child: ChildProcess }
  submit(argv: readonly string[], more?: { queue?: boolean }): Promise<Run>
  endOf(run: string): Promise<Run>
  output(run: string): Promise<string>
}

/** The join token in the command that `muster host add` printed. */
export function tokenIn(command: string | null): string {
  return /mpull_\w+/.exec(command ?? '')?.[0] ?? ''
}

/** A directory, or the bucket of a store: on S3, unless it is named. */
export async function openBucketHub(store: { bucket?: string; endpoint?: string } = {}): Promise<BucketHub> {
  await using opened = new AsyncDisposableStack()
  const hub = opened.use(await openFixtureHub())
  const shared = opened.use(await makeHome())
  const dir = join(shared.path, 'bucket')
  await mkdir(dir)
  const ofStore = store.endpoint === undefined ? pathToFileURL(dir).href : 's3://drop'
  const place = { bucket: ofStore, prefix: 'team/box', ...store }
  const connector = { kind: 'bucket', ...place, intervalMs: lookEveryMs }
  const { command, host } = await hub.own.hub.call(addHost, { name: hostName, connector, probe: false })
  const token = tokenIn(command)
  const where = ['--bucket', place.bucket, '--prefix', place.prefix, ...(store.endpoint ? ['--endpoint', store.endpoint] : [])]
  const look = async (run: string) => {
    const now = await hub.client.host(hostName).call(getRun, { run })
    return isTerminal(now.state) ? now : undefined
  }
  const closing = opened.move()
  return {
    hub,
    dir: join(dir, place.prefix),
    place,
    hostId: host.id,
    token,
    worker: (home, options = [], env = {}) =>
      closing.use(
        start(home, ['node', 'pull', ...where, '--allow', 'runs', '--interval', `${lookEveryMs}ms`, ...options], {
          MUSTER_TOKEN: token,
          ...env,
        }),
      ),
    submit: (argv, { queue = true } = {}) =>
      hub.client.hub.call(submitRun, { host: hostName, spec: { kind: 'command', argv: [...argv] }, queue }),
    endOf: (run) => until(`${run} ends`, () => look(run), undefined, 120_000),
    async output(run) {
      const parts: Uint8Array[] = []
      for await (const part of hub.client.host(hostName).bytes(readOutput, { run, follow: true })) parts.push(part)
      return Buffer.concat(parts).toString()
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
