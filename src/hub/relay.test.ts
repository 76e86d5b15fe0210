import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { getFile } from '../contract/file.ts'
import { type Bound, type Implementation, implement, implementation, type Principal } from '../contract/implementation.ts'
import { relayFiles } from '../contract/relay.ts'
import { copyFiles } from '../transfer/copy.ts'
import { fileOperations } from '../transfer/disk/operations.ts'
import type { Side } from '../transfer/side.ts'
import { request } from '../transfer/test-sides.ts'
import type { FleetHost } from './fleet.ts'
import { relayer } from './relay.ts'

const principal: Principal = { kind: 'user', id: 'test', role: 'operator', scopes: new Set(['operate']) }

interface TestHost {
  readonly root: string
  readonly offers: Implementation
}

async function testHost(...instead: Bound[]): Promise<TestHost> {
  const root = await mkdtemp(join(tmpdir(), 'muster-relay-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const own = fileOperations({ jail: () => ({ roots: [root] }), allow: () => undefined })
  return { root, offers: implementation(...own, ...instead) }
}

/** Sides behind one hub; what is asked of them past it is counted. */
function behindHub(hosts: Readonly<Record<string, TestHost>>): { side(name: string): Side; readonly streams: () => number } {
  let streams = 0
  const find = (name: string) => {
    if (!hosts[name]) throw failure('host.unknown', { host: name })
    return { name } as FleetHost
  }
  const offersOf = ({ name }: FleetHost) => hosts[name]?.offers ?? implementation()
  const hub = direct(implementation(implement(relayFiles, relayer({ fleet: { find }, offersOf }))), principal)
  const side = (name: string): Side => {
    const caller = direct(offersOf(find(name)), principal)
    const bytes = ((...of) => {
      streams++
      return caller.bytes(...of)
    }) as typeof caller.bytes
    return { caller: { ...caller, bytes }, name, id: name, behind: { hub } }
  }
  return { side, streams: () => streams }
}

test('between two hosts of one hub, files go straight through it', async () => {
  const hosts = { a: await testHost(), b: await testHost() }
  const { side, streams } = behindHub(hosts)
  const large = randomBytes(3_000_000)
  await writeFile(join(hosts.a.root, 'large'), large)
  for (let n = 0; n < 10; n++) await writeFile(join(hosts.a.root, String(n)), String(n))
  const seen: number[] = []
  const onProgress = ({ bytes }: { bytes: number }) => void seen.push(bytes)
  const outcome = await copyFiles(request(side('a'), '', side('b'), 'all', { onProgress }))
  expect(outcome).toMatchObject({ problems: [], bytes: large.length + 10 })
  expect(outcome.copied.find(({ to }) => to.endsWith('/large'))?.sha256).toBe(createHash('sha256').update(large).digest('hex'))
  expect(await readdir(join(hosts.b.root, 'all'))).toHaveLength(11)
  expect(streams()).toBe(0)
  expect(Math.max(...seen)).toBe(large.length + 10)
})

test("what a host says comes with its name, and a source's sending more than was asked for ends it", async () => {
  const bytes = 600_000
  let sent = 0
  const endless = implement(getFile, async function* () {
    for (; sent < 1024 ** 3; sent += bytes) yield randomBytes(bytes)
  })
  const hosts = { a: await testHost(endless), b: await testHost() }
  const { side } = behindHub(hosts)
  await writeFile(join(hosts.a.root, 'file'), randomBytes(bytes))
  const { problems } = await copyFiles(request(side('a'), 'file', side('b'), 'file'))
  expect(problems).toMatchObject([{ error: { code: 'file.changed', message: expect.stringMatching(/^a: /) } }])
  expect(sent).toBeLessThan(4 * bytes)
})
