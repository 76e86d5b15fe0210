import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import type { JournalEntry } from '../contract/event.ts'
import type { RunSpec } from '../contract/run.ts'
import {
  acceptRun,
  advanceCursor,
  appendEvents,
  closeOutputGap,
  getRun,
  getSpec,
  type Happened,
  listRuns,
  liveRuns,
  mirrorCursor,
  mirrorEntries,
  outputGaps,
  readEvents,
  readJournal,
} from './runs.ts'
import type { Store } from './store.ts'

const spec: RunSpec = { kind: 'command', argv: ['echo', 'hello'], env: { A: '1', B: '2' }, stdin: 'none', timeoutMs: 1000 }
const request = { host: 'local', run: 'r1', spec, parent: null, title: 'echo hello', fence: 1 }
const running: Happened = { type: 'state', state: 'running', pid: 7 }
const failed: Happened = { type: 'state', state: 'failed', exit: { code: 1, signal: null }, output: { stdout: 3, stderr: 0 } }
const step: Happened = { type: 'step.started', step: 's', units: 1 }

describe.each(engines)('runs on %s', (engine) => {
  test('accepting the same run again answers the same run, and writes nothing', async () => {
    await using store = await testStore(engine)
    const first = await acceptRun(store, request)
    const again = await acceptRun(store, { ...request, spec: { ...spec, env: { B: '2', A: '1' } } })
    expect(first).toMatchObject({ created: true, run: { state: 'starting', lastEvent: 1 } })
    expect(again).toEqual({ created: false, run: first.run })
    expect(await readJournal(store, 'local', 0, 10)).toHaveLength(1)
    expect(await getSpec(store, 'local', 'r1')).toEqual(spec)
  })

  test('another spec under the same id is refused', async () => {
    await using store = await testStore(engine)
    await acceptRun(store, request)
    await expect(acceptRun(store, { ...request, spec: { ...spec, argv: ['rm'] } })).rejects.toMatchObject({
      code: 'run.conflict',
    })
  })

  test('a fence lower than one seen before is refused', async () => {
    await using store = await testStore(engine)
    await acceptRun(store, request)
    await acceptRun(store, { ...request, fence: 5 })
    await expect(acceptRun(store, { ...request, fence: 4 })).rejects.toMatchObject({ code: 'claim.lost' })
    await expect(acceptRun(store, { ...request, fence: 5 })).resolves.toMatchObject({ created: false })
  })

  test('of many who accept a run at once, one makes it', async () => {
    await using store = await testStore(engine)
    const all = await Promise.all(Array.from({ length: 20 }, () => acceptRun(store, request)))
    expect(all.filter(({ created }) => created)).toHaveLength(1)
  })

  test('appends all events or none', async () => {
    await using store = await testStore(engine)
    await acceptRun(store, request)
    await expect(appendEvents(store, 'local', 'r1', [running, failed, running])).rejects.toMatchObject({ code: 'run.transition' })
    expect(await getRun(store, 'local', 'r1')).toMatchObject({ state: 'starting', lastEvent: 1 })
    const { run, events } = await appendEvents(store, 'local', 'r1', [running, failed])
    expect(run).toMatchObject({
      state: 'failed',
      exit: { code: 1, signal: null },
      output: { stdout: 3, stderr: 0 },
      lastEvent: 3,
    })
    expect(await readEvents(store, 'local', 'r1', 1, 10)).toEqual(events)
    expect(await getRun(store, 'local', 'r1')).toEqual(run)
  })

  test('an unknown run takes no events', async () => {
    await using store = await testStore(engine)
    await expect(appendEvents(store, 'local', 'none', [running])).rejects.toMatchObject({ code: 'run.unknown' })
  })

  test('numbers events and journal positions without gaps, however many append at once', async () => {
    await using store = await testStore(engine)
    const ids = ['a', 'b', 'c']
    await Promise.all(ids.map((run) => acceptRun(store, { ...request, run })))
    await Promise.all(ids.flatMap((run) => Array.from({ length: 15 }, () => appendEvents(store, 'local', run, [step, step]))))
    const journal = await readJournal(store, 'local', 0, 1000)
    expect(journal.map(({ position }) => position)).toEqual(Array.from({ length: 93 }, (_, n) => n + 1))
    for (const id of ids) {
      const seqs = journal.filter(({ run }) => run === id).map(({ event }) => event.seq)
      expect(seqs).toEqual(Array.from({ length: 31 }, (_, n) => n + 1))
    }
  })

  test('keeps the time that an event is given', async () => {
    await using store = await testStore(engine)
    const at = '2020-01-01T00:00:00.000Z'
    await acceptRun(store, { ...request, at })
    const { run, events } = await appendEvents(store, 'local', 'r1', [{ ...running, at }])
    expect([run.createdAt, run.startedAt, events[0]?.at]).toEqual([at, at, at])
  })

  test('lists newest first in pages that new runs do not shift', async () => {
    await using store = await testStore(engine)
    const time = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, Math.floor(n / 3))).toISOString()
    const ids = Array.from({ length: 20 }, (_, n) => (n % 2 ? `R${n}` : `r${n}`))
    for (const [n, run] of ids.entries()) await acceptRun(store, { ...request, run, at: time(n) })
    const found: string[] = []
    let before: string | undefined
    do {
      const page = await listRuns(store, { host: 'local', before, limit: 6 })
      found.push(...page.runs.map(({ id }) => id))
      before = page.next ?? undefined
      await acceptRun(store, { ...request, run: `late${found.length}`, at: '2027-01-01T00:00:00.000Z' })
    } while (before !== undefined)
    const byTimeThenId = (a: number, b: number) => (time(a) === time(b) ? ((ids[a] ?? '') < (ids[b] ?? '') ? 1 : -1) : b - a)
    expect(found).toEqual([...ids.keys()].sort(byTimeThenId).map((n) => ids[n]))
  })

  test('filters by state, kind, parent and host', async () => {
    await using store = await testStore(engine)
    await acceptRun(store, request)
    await acceptRun(store, { ...request, run: 'r2', parent: { run: 'w', step: 's' } })
    await appendEvents(store, 'local', 'r2', [running])
    const ids = async (filter: Omit<Parameters<typeof listRuns>[1], 'limit'>) =>
      (await listRuns(store, { ...filter, limit: 10 })).runs.map(({ id }) => id)
    expect(await ids({ states: ['running'] })).toEqual(['r2'])
    expect(await ids({ states: [] })).toEqual([])
    expect(await ids({ parent: 'w' })).toEqual(['r2'])
    expect(await ids({ kind: 'workflow' })).toEqual([])
    expect(await ids({ host: 'other' })).toEqual([])
    expect((await liveRuns(store, 'local')).map(({ id }) => id)).toEqual(['r1', 'r2'])
    await appendEvents(store, 'local', 'r2', [failed])
    expect((await liveRuns(store, 'local')).map(({ id }) => id)).toEqual(['r1'])
  })

  test.each(['', 'x', '~', '2026~', 'a~b~c'])('refuses the cursor %j', async (before) => {
    await using store = await testStore(engine)
    await expect(listRuns(store, { before, limit: 1 })).rejects.toMatchObject({ code: 'input.invalid' })
  })

  test('a journal that leaves out an event of a run is refused, and nothing of that batch is kept', async () => {
    await using store = await testStore(engine)
    await using origin = await testStore('sqlite')
    const [first, , third] = await someJournal(origin)
    await expect(mirrorEntries(store, 'h', [first, third] as JournalEntry[])).rejects.toMatchObject({ code: 'wire.protocol' })
    expect(await mirrorCursor(store, 'h')).toBe(0)
    expect(await getRun(store, 'h', 'r1')).toBeUndefined()
  })

  test('the cursor moves on and never back', async () => {
    await using store = await testStore(engine)
    for (const position of [3, 9, 4]) await advanceCursor(store, 'h', position)
    expect(await mirrorCursor(store, 'h')).toBe(9)
  })

  test('knows whose output is not here whole', async () => {
    await using store = await testStore(engine)
    await using origin = await testStore('sqlite')
    await mirrorEntries(store, 'h', await someJournal(origin))
    expect(await outputGaps(store, 'h')).toEqual(['r1'])
    await closeOutputGap(store, 'h', 'r1')
    expect(await outputGaps(store, 'h')).toEqual([])
  })

  test('a mirror ends up with the same runs and events, whatever is delivered again and in whichever pieces', async () => {
    await using origin = await testStore('sqlite')
    const ids = ['a', 'b', 'c']
    for (const run of ids) await acceptRun(origin, { ...request, run })
    for (const bodies of [[running, step], [step], [failed]])
      for (const run of ids) await appendEvents(origin, 'local', run, bodies)
    const journal = await readJournal(origin, 'local', 0, 1000)
    const pieces = fc.array(fc.record({ again: fc.nat(4), count: fc.integer({ min: 1, max: 6 }) }), { maxLength: 12 })
    let host = 0
    await using store = await testStore(engine)
    await fc.assert(
      fc.asyncProperty(pieces, async (deliveries) => {
        host += 1
        const mirror = `host${host}`
        for (const { again, count } of [...deliveries, { again: 0, count: journal.length }]) {
          const from = Math.max(0, (await mirrorCursor(store, mirror)) - again)
          await mirrorEntries(store, mirror, journal.slice(from, from + count))
        }
        for (const id of ids) {
          expect(await getRun(store, mirror, id)).toEqual({ ...(await getRun(origin, 'local', id)), host: mirror })
          expect(await readEvents(store, mirror, id, 0, 100)).toEqual(await readEvents(origin, 'local', id, 0, 100))
        }
        expect(await readJournal(store, mirror, 0, 1000)).toEqual(journal)
        expect(await mirrorEntries(store, mirror, journal)).toEqual([])
      }),
      { numRuns: 20 },
    )
  })
})

async function someJournal(origin: Store): Promise<JournalEntry[]> {
  await acceptRun(origin, request)
  await appendEvents(origin, 'local', 'r1', [running, failed])
  return readJournal(origin, 'local', 0, 10)
}
