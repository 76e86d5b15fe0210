import pino from 'pino'
import { expect, test, vi } from 'vitest'
import { failure } from '../contract/errors.ts'
import { followJournal, type JournalEntry } from '../contract/event.ts'
import { implement } from '../contract/implementation.ts'
import type { FleetEvents } from './fleet-events.ts'
import { followHost } from './follow.ts'
import type { Mirror } from './mirror.ts'
import type { Queue } from './queue.ts'
import { openTestHome, testHost } from './test-parts.ts'

const log = pino({ level: 'silent' })
const ended: JournalEntry = {
  position: 1,
  run: 'run_1',
  event: { type: 'state', seq: 1, at: new Date().toISOString(), state: 'succeeded' },
}

const readsNothing = () => ({ async [Symbol.asyncDispose]() {} })

function parts() {
  const note = vi.fn(async (_host: string, _run: { id: string }) => {})
  return {
    note,
    queue: { claim() {}, note } as unknown as Queue,
    mirror: {} as Mirror,
    events: { publish: () => {} } as unknown as FleetEvents,
    approvals: { read: readsNothing },
    log,
  }
}

test('an entry that cannot be taken in ends that reading at the host, and is asked for again', async () => {
  await using home = await openTestHome()
  const readings: { after: number; signal: AbortSignal }[] = []
  const host = testHost('local', [
    implement(followJournal, async function* ({ after }, { signal }) {
      readings.push({ after, signal })
      yield ended
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }),
  ])
  const { note, ...rest } = parts()
  note.mockRejectedValueOnce(failure('store.unavailable', { problem: 'the disk is full' }))
  await using _following = followHost(host, { ...rest, store: home.store })
  await vi.waitFor(() => expect(note).toHaveBeenCalledTimes(2), 30_000)
  expect(readings.map(({ after, signal }) => [after, signal.aborted])).toEqual([
    [0, true],
    [0, false],
  ])
})

test('a journal that ends at once is not asked for without a pause, and one that is followed no more not at all', async () => {
  await using home = await openTestHome()
  const asked: number[] = []
  const host = testHost('local', [
    implement(followJournal, async function* () {
      asked.push(performance.now())
      yield* []
    }),
  ])
  const { note: _, ...rest } = parts()
  {
    await using _following = followHost(host, { ...rest, store: home.store })
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1), 30_000)
  }
  const [first = 0, second = 0] = asked
  expect(second - first).toBeGreaterThan(500)
  host.cut()
  host.dial()
  expect(asked).toHaveLength(2)
})

test('sessions of one host never overlap, however often its link is cut', async () => {
  await using home = await openTestHome()
  let open = 0
  let most = 0
  const host = testHost('local', [
    implement(followJournal, async function* (_, { signal }) {
      open += 1
      most = Math.max(most, open)
      yield ended
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      open -= 1
    }),
  ])
  const { note, ...rest } = parts()
  await using _following = followHost(host, { ...rest, store: home.store })
  for (let n = 1; n <= 5; n++) {
    await vi.waitFor(() => expect(note.mock.calls.length).toBeGreaterThanOrEqual(n), 30_000)
    host.cut()
    host.dial()
  }
  expect(most).toBe(1)
})
