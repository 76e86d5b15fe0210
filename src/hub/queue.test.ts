import { join } from 'node:path'
import pino from 'pino'
import { expect, test } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { failure, type MusterError } from '../contract/errors.ts'
import { implement } from '../contract/implementation.ts'
import { cancelRun, type Run, RunSpec, startRun } from '../contract/run.ts'
import { getJob } from '../store/jobs/find.ts'
import { submitJob } from '../store/jobs/submit.ts'
import { createFleet, type FleetHost } from './fleet.ts'
import { openMirror } from './mirror.ts'
import { openQueue, type Submission } from './queue.ts'
import { openTestHome, testHost } from './test-parts.ts'

const log = pino({ level: 'silent' })
const never = new AbortController().signal

async function openTestQueue(start: (run: string) => Promise<Run>) {
  await using opened = new AsyncDisposableStack()
  const { dir, store } = opened.use(await openTestHome())
  const host = testHost('local', [implement(startRun, ({ run }) => start(run))])
  const fleet = createFleet(host)
  const mirror = opened.use(openMirror({ dir: join(dir, 'mirror'), store, log }))
  const queue = opened.use(await openQueue({ store, fleet, mirror, owner: 'hub', log }))
  const parts = opened.move()
  return { queue, host, fleet, store, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const submission = (host: FleetHost, more: Partial<Submission> = {}): Submission => ({
  host,
  spec: RunSpec.parse({ kind: 'command', argv: ['true'] }),
  parent: null,
  queue: false,
  expiresInMs: 60_000,
  ...more,
})

const started = (id: string): Run => ({
  id,
  host: 'local',
  kind: 'command',
  state: 'starting',
  title: 'true',
  parent: null,
  createdAt: new Date().toISOString(),
  startedAt: null,
  endedAt: null,
  pid: null,
  exit: null,
  error: null,
  output: { stdout: 0, stderr: 0 },
  lastEvent: 1,
  unreachableSince: null,
})

test.each([failure('host.stopped'), failure('host.not_ready'), failure('wire.closed', { reason: 'cut' })])(
  'a start that fails with $code waits its turn and is made again',
  async (error: MusterError) => {
    let asked = 0
    await using of = await openTestQueue(async (run) => {
      asked += 1
      if (asked === 1) throw error
      return started(run)
    })
    const { run } = await of.queue.submit(submission(of.host))
    expect(await of.queue.begun(run, never)).toMatchObject({ state: 'started', runState: 'starting' })
    expect(asked).toBe(2)
  },
)

test('a start that the host refuses is the end of the run', async () => {
  await using of = await openTestQueue(async () => {
    throw failure('run.kind_unsupported', { host: 'local', kind: 'command' })
  })
  const { run } = await of.queue.submit(submission(of.host))
  expect(await of.queue.ended(run, never)).toMatchObject({ runState: 'failed', error: { code: 'run.kind_unsupported' } })
})

test('a run whose end is told before its start was answered has reached its host', async () => {
  const answer = Promise.withResolvers<void>()
  await using of = await openTestQueue(async (run) => {
    await answer.promise
    return started(run)
  })
  const { run } = await of.queue.submit(submission(of.host))
  await eventually(async () => expect((await of.queue.look(run))?.state).toBe('claimed'))
  await of.queue.note('local', { id: run, state: 'succeeded', error: null })
  answer.resolve()
  expect(await of.queue.ended(run, never)).toMatchObject({ runState: 'succeeded', startedAt: expect.any(String) })
})

test('a submission that comes while its host is being forgotten is refused, and leaves no job that waits', async () => {
  await using of = await openTestQueue(async (run) => started(run))
  const gone = testHost('host_gone', [])
  await expect(of.queue.submit(submission(gone, { run: 'run_late' }))).rejects.toMatchObject({ code: 'host.unknown' })
  expect(await of.queue.look('run_late')).toMatchObject({ state: 'ended', runState: 'failed', error: { code: 'host.unknown' } })
})

test('a queue that closes waits for no answer, and its job waits for the next', async () => {
  await using home = await openTestHome()
  const { store } = home
  const host = testHost('local', [implement(startRun, () => new Promise<Run>(() => {}))])
  const mirror = openMirror({ dir: join(home.dir, 'mirror'), store, log })
  let run = ''
  {
    await using queue = await openQueue({ store, fleet: createFleet(host), mirror, owner: 'hub', log })
    run = (await queue.submit(submission(host))).run
    await eventually(async () => expect((await queue.look(run))?.state).toBe('claimed'))
  }
  expect(await getJob(store, run)).toMatchObject({ state: 'queued' })
}, 60_000)

test('what lies ready for a host that is away is still queued; cancelled, it is taken back there before that is said', async () => {
  await using home = await openTestHome()
  const { store } = home
  const asked: string[] = []
  const answers = [
    implement(startRun, async ({ run }, { signal }) => {
      asked.push(`start ${run}`)
      const ended = Promise.withResolvers<Run>()
      signal.addEventListener('abort', () => ended.reject(signal.reason))
      return ended.promise
    }),
    implement(cancelRun, async ({ run }) => {
      asked.push(`cancel ${run}`)
      throw failure('run.unknown', { run })
    }),
  ]
  const host = testHost('local', answers, { deferred: true })
  host.cut()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store, log })
  await using queue = await openQueue({ store, fleet: createFleet(host), mirror, owner: 'hub', log })
  await expect(queue.submit(submission(host))).rejects.toMatchObject({ code: 'host.offline' })
  const { run } = await queue.submit(submission(host, { queue: true }))
  await eventually(() => expect(asked).toEqual([`start ${run}`]))
  expect(await queue.look(run)).toMatchObject({ state: 'claimed', runState: 'queued' })
  expect(await queue.cancelWaiting(run)).toMatchObject({ state: 'ended', runState: 'cancelled' })
  expect(asked.at(-1)).toBe(`cancel ${run}`)
})

test('what a host that is away has waited for too long is taken back there', async () => {
  await using home = await openTestHome()
  const { store } = home
  const taken = Promise.withResolvers<string>()
  const answers = [
    implement(startRun, async () => {
      throw failure('call.deadline', { operation: 'run.start', ms: 1 })
    }),
    implement(cancelRun, async ({ run }) => {
      taken.resolve(run)
      throw failure('run.unknown', { run })
    }),
  ]
  const host = testHost('local', answers, { deferred: true })
  host.cut()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store, log })
  await using queue = await openQueue({ store, fleet: createFleet(host), mirror, owner: 'hub', log })
  const { run } = await queue.submit(submission(host, { queue: true, expiresInMs: 1 }))
  expect(await taken.promise).toBe(run)
  expect(await queue.look(run)).toMatchObject({ state: 'ended', runState: 'failed', error: { code: 'run.expired' } })
})

test('whoever waits for a job that nobody knows, or has left, does not wait for ever', async () => {
  await using of = await openTestQueue(() => new Promise<Run>(() => {}))
  expect(await of.queue.begun('run_none', never)).toBeUndefined()
  const { run } = await of.queue.submit(submission(of.host))
  const leaving = new AbortController()
  const waiting = of.queue.ended(run, leaving.signal)
  leaving.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'call.cancelled' })
  await of.queue.abandon('local', failure('host.unknown', { host: 'local' }))
  expect(await of.queue.ended(run, never)).toMatchObject({ runState: 'failed' })
})

test('whoever waits for a job that something has damaged in the store hears that it failed', async () => {
  await using of = await openTestQueue(async (run) => started(run))
  await submitJob(of.store, {
    ...{ run: 'r', host: of.host.id, key: null, fingerprint: 'f', parent: null, title: 'true', queue: true },
    spec: RunSpec.parse({ kind: 'command', argv: ['true'] }),
    createdAt: new Date().toISOString(),
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
  })
  await of.store.write((db) => db.updateTable('job').set({ spec: '{' }).where('run', '=', 'r').execute())
  const ended = of.queue.ended('r', AbortSignal.timeout(60_000))
  of.queue.claim()
  expect(await ended).toMatchObject({ runState: 'failed', error: { code: 'run.unreadable' } })
})
