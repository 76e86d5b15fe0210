// The hub's side of a bucket against workers that are the test's own: what they may say, and what is known when they are gone.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/resources/eventually.ts'
import { forgetApproval, resolveApproval } from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { invokeCommand } from '../../contract/command.ts'
import { failure } from '../../contract/errors.ts'
import type { HostInfo } from '../../contract/host.ts'
import { cancelRun, startRun } from '../../contract/run.ts'
import { temporaryIdentity } from '../../wire/identity.ts'
import type { LinkState } from '../port.ts'
import { connectBucket } from './connector.ts'
import { seal } from './envelope.ts'
import { introduce, joinCommand, parseJoinToken } from './join-token.ts'
import { beatKey, claimKey, jobKey, segmentKey } from './keys.ts'

const host = 'host_01M7YZJS43XX2ZEKE2N7SMDY0R'
const closing = failure('wire.closed', { reason: 'the hub is closing' })
const at = '2026-01-01T00:00:00.000Z'
const info: HostInfo = {
  version: '1',
  protocol: 1,
  platform: 'linux',
  arch: 'x64',
  hostname: 'box',
  cores: null,
  memoryBytes: null,
  bootedAt: null,
  activeRuns: null,
  clock: at,
  catalogSize: null,
  backends: null,
  kinds: [],
  allows: [],
}

async function openBucket() {
  const dir = await mkdtemp(join(tmpdir(), 'muster-bucket-'))
  const drop = join(dir, 'drop')
  await mkdir(drop)
  const hub = temporaryIdentity()
  const connect = (own: string) =>
    connectBucket(
      { kind: 'bucket', bucket: pathToFileURL(drop).href, intervalMs: 100 },
      {
        host,
        name: 'nightly',
        lastSeenAt: null,
        identity: hub,
        version: '1',
        dir: join(dir, own),
        secret: async () => undefined,
        log: pino({ level: 'silent' }),
      },
    )
  const connector = connect('hub')
  onTestFinished(async () => {
    await connector.close(closing)
    await rm(dir, { recursive: true, force: true })
  })
  const states: LinkState['status'][] = []
  connector.onChange(({ status }) => states.push(status))
  const token = parseJoinToken(/mpull_\w+/.exec(joinCommand({ bucket: 's3://drop' }, { host, identity: hub }))?.[0] ?? '')
  const put = async (key: string, bytes: string | Uint8Array) => {
    await mkdir(dirname(join(drop, key)), { recursive: true })
    await writeFile(join(drop, key), bytes)
  }
  return {
    drop,
    connector,
    /** As a hub does that starts with nothing on record. */
    connectAnew: () => connect('anew'),
    states,
    caller: connector.state.caller as Caller,
    put,
    state: async () => JSON.parse(await readFile(join(dir, 'hub', 'state.json'), 'utf8')),
    /** One that the operator has let in. */
    join() {
      const identity = temporaryIdentity()
      const { introduction } = introduce(token, identity.publicKey)
      const id = identity.fingerprint
      const putSigned = (key: string, message: unknown) => put(key, seal({ host, key }, { identity, introduction }, message))
      let beats = 0
      return {
        id,
        beat: ({ leaving = false, everyMs = 60_000 } = {}) =>
          putSigned(beatKey(id), { type: 'beat', count: ++beats, everyMs, leaving, info }),
        claim: (run: string, fence: number) =>
          putSigned(claimKey(run, fence), {
            type: 'claim',
            run,
            fence,
            nonce: '0',
            renewal: 0,
            leaseMs: 1_000,
            ended: false,
            asked: [],
          }),
        tellOfWhole: (number: number, run: string, fence: number) =>
          putSigned(segmentKey(id, number), {
            type: 'segment',
            number,
            events: [
              { type: 'accepted', kind: 'command', title: 't', parent: null },
              { type: 'state', state: 'running' },
              { type: 'state', state: 'succeeded' },
            ].map((body, i) => ({ run, fence, event: { ...body, seq: i + 1, at } })),
            outputs: [{ run, fence, after: 0, chunks: 0, bytes: 0, whole: true }],
            answers: [],
            told: {},
          }),
      }
    },
  }
}

test('a fence far above those that were made counts for nothing, and closing does not wait for what it would take', async () => {
  const bucket = await openBucket()
  const worker = bucket.join()
  const fence = 999_999_999_999_999
  await worker.claim('far', fence)
  await worker.tellOfWhole(1, 'far', fence)
  await worker.claim('near', 1)
  await worker.tellOfWhole(2, 'near', 1)
  const { runs } = await eventually(async () => {
    const state = await bucket.state()
    expect(state.workers[worker.id].next).toBe(3)
    expect(state.runs.near.cleaned).toBe(true)
    return state
  })
  expect(Object.keys(runs)).toEqual(['near'])
  await bucket.connector.close(closing)
})

test('objects that nobody has signed leave nothing on record', async () => {
  const bucket = await openBucket()
  for (let n = 0; n < 50; n++) {
    const id = n.toString(16).padStart(32, '0')
    await bucket.put(beatKey(id), 'junk')
    await bucket.put(segmentKey(id, 1), 'junk')
  }
  const worker = bucket.join()
  await worker.beat()
  await eventually(() => expect(bucket.connector.state.status).toBe('online'))
  await worker.beat()
  await eventually(async () => expect((await bucket.state()).workers[worker.id].beat).toBe(2))
  expect(Object.keys((await bucket.state()).workers)).toEqual([worker.id])
})

test('a run that is called as the language calls its own is laid ready like any', async () => {
  const bucket = await openBucket()
  const stop = new AbortController()
  const spec = { kind: 'command' as const, argv: ['true'] }
  const started = bucket.caller.call(startRun, { run: 'constructor', spec, parent: null }, { signal: stop.signal })
  const outcome = started.then(
    () => 'started',
    ({ code }) => code,
  )
  await eventually(async () => expect(await readdir(join(bucket.drop, dirname(jobKey('x'))))).toEqual(['constructor']))
  stop.abort()
  expect(await outcome).toBe('call.cancelled')
})

test('a run that is cancelled in the moment before its job is laid ready is taken back, though no worker looks', async () => {
  const bucket = await openBucket()
  const patience = { timeoutMs: 30_000 }
  const code = (call: Promise<unknown>) =>
    call.then(
      () => 'answered',
      (error) => error.code,
    )
  const cancelled = code(bucket.caller.call(cancelRun, { run: 'early' }, patience))
  await eventually(async () => expect(await readdir(join(bucket.drop, 'q', 'ask'))).toHaveLength(1))
  const spec = { kind: 'command' as const, argv: ['true'] }
  const started = code(bucket.caller.call(startRun, { run: 'early', spec, parent: null }, patience))
  expect(await Promise.all([cancelled, started])).toEqual(['run.unknown', 'run.ended'])
  expect(await readdir(join(bucket.drop, 'q', 'job'))).toEqual([])
})

test('a host that nobody has seen is still one when the hub closes, and asking it then fails at once', async () => {
  const bucket = await openBucket()
  await bucket.connector.close(closing)
  expect(bucket.connector.state.status).toBe('never_seen')
  expect(bucket.states).not.toContain('offline')
  const spec = { kind: 'command' as const, argv: ['true'] }
  await expect(bucket.caller.call(startRun, { run: 'late', spec, parent: null })).rejects.toMatchObject({ code: 'wire.closed' })
})

test('a hub that closes leaves what a person has answered in the bucket, and what nobody can hear any more not', async () => {
  const bucket = await openBucket()
  await bucket.join().beat()
  await eventually(() => expect(bucket.connector.state.status).toBe('online'))
  const asks = async () => {
    const names = await readdir(join(bucket.drop, 'q', 'ask')).catch(() => [])
    const asked = await Promise.all(names.map((name) => readFile(join(bucket.drop, 'q', 'ask', name), 'utf8')))
    return asked.map((text) => /"operation":"([^"]+)"/.exec(text)?.[1]).sort()
  }
  const answer = { approval: 'apr_01ARZ3NDEKTSV4RRFFQ69G5FA1', digest: '0'.repeat(64), outcome: 'denied' } as const
  const calls = [
    bucket.caller.call(resolveApproval, answer),
    bucket.caller.call(invokeCommand, { command: 'exec', params: {} }),
    bucket.caller.call(forgetApproval, { approval: answer.approval }),
  ]
  const ended = Promise.allSettled(calls)
  await eventually(async () => expect(await asks()).toHaveLength(3))
  await bucket.connector.close(closing)
  for (const { status } of await ended) expect(status).toBe('rejected')
  await eventually(async () => expect(await asks()).toEqual(['approval.forget', 'approval.resolve']))
})

test('a look that is under way when the hub closes makes nothing online', async () => {
  const bucket = await openBucket()
  await bucket.join().beat()
  await eventually(() => expect(bucket.connector.state.status).toBe('online'))
  // Its first look has begun.
  const anew = bucket.connectAnew()
  await anew.close(closing)
  expect(anew.state.status).toBe('never_seen')
  await bucket.connector.close(closing)
  expect(bucket.connector.state.status).toBe('offline')
})

test('one worker that leaves takes none of the others along', async () => {
  const bucket = await openBucket()
  const [staying, leaving] = [bucket.join(), bucket.join()]
  await staying.beat()
  await leaving.beat()
  await eventually(async () => expect(Object.keys((await bucket.state()).workers)).toHaveLength(2))
  await leaving.beat({ leaving: true })
  const left = performance.now()
  await eventually(async () => expect((await bucket.state()).workers[leaving.id].beat).toBe(2))
  // Longer than one that has left is still reached.
  await eventually(() => expect(performance.now() - left).toBeGreaterThan(6_000))
  expect(bucket.connector.state.status).toBe('online')
  await staying.beat({ leaving: true })
  await eventually(() => expect(bucket.connector.state.status).toBe('offline'))
})
