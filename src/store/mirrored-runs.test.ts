// A run is the fold of its events, at its host and in a mirror alike. Random events against a fold that is written down here once more,
// and random deliveries of the journal to a mirror.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import type { RunEvent } from '../contract/event.ts'
import type { Run, RunSpec, RunState } from '../contract/run.ts'
import { acceptRun, appendEvents, getRun, type Happened, mirrorCursor, mirrorEntries, readEvents, readJournal } from './runs.ts'

const spec: RunSpec = { kind: 'command', argv: ['true'], env: {}, stdin: 'none', timeoutMs: 1000 }
const states = ['queued', 'claimed', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'cancelled', 'timed_out'] as const

const time = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString()

/** Which state of a host's run may follow which, as docs/protocol.md tells it; not taken from the code. */
const follows = new Set(
  [
    'starting>running starting>stopping starting>failed starting>cancelled',
    'running>stopping running>succeeded running>failed',
    'stopping>succeeded stopping>failed stopping>cancelled stopping>timed_out',
  ]
    .join(' ')
    .split(' '),
)
const over = new Set<string>(['succeeded', 'failed', 'cancelled', 'timed_out'])

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const stateChanged = fc.record({
  type: fc.constant('state' as const),
  state: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('running', 'stopping', ...over) },
    { weight: 1, arbitrary: fc.constantFrom(...states) },
  ),
  pid: optional(fc.integer({ min: 1, max: 9 })),
  exit: optional(fc.record({ code: fc.integer({ min: 0, max: 2 }), signal: fc.constant(null) })),
  error: optional(fc.constant({ code: 'run.lost', message: 'm', hint: 'h', retryable: false })),
  output: optional(fc.record({ stdout: fc.nat(9), stderr: fc.nat(9) })),
})
const other = fc.record({ type: fc.constant('step.started' as const), step: fc.constant('s'), units: fc.nat(3) })
const again = fc.record({
  type: fc.constant('accepted' as const),
  kind: fc.constant('command' as const),
  title: fc.constant('x'),
  parent: fc.constant(null),
})
const body = fc.oneof({ weight: 8, arbitrary: stateChanged }, { weight: 2, arbitrary: other }, { weight: 1, arbitrary: again })
/** What is left out is not there, rather than there and undefined. */
const bodies = fc.array(body, { minLength: 1, maxLength: 4 }).map((all) => JSON.parse(JSON.stringify(all)) as Happened[])
const appends = fc.array(fc.record({ run: fc.constantFrom('a', 'b', 'c'), bodies }), { maxLength: 12 })

/** The run that these events come to, each looked up in the whole log; undefined if one of them may not be there. */
function retold(events: readonly RunEvent[]): Partial<Run> | undefined {
  const path = ['starting']
  for (const [place, event] of events.entries()) {
    if (event.seq !== place + 1 || (event.type === 'accepted') !== (place === 0)) return undefined
    if (event.type !== 'state') continue
    if (!follows.has(`${path.at(-1)}>${event.state}`)) return undefined
    path.push(event.state)
  }
  const changes = events.filter((event) => event.type === 'state')
  const lastThatSays = <K extends 'pid' | 'exit' | 'error' | 'output'>(field: K) =>
    changes.findLast((event) => event[field] !== undefined)?.[field]
  return {
    state: path.at(-1) as RunState,
    createdAt: events[0]?.at as string,
    startedAt: changes.find(({ state }) => state === 'running')?.at ?? null,
    endedAt: changes.find(({ state }) => over.has(state))?.at ?? null,
    pid: lastThatSays('pid') ?? null,
    exit: lastThatSays('exit') ?? null,
    error: lastThatSays('error') ?? null,
    output: lastThatSays('output') ?? { stdout: 0, stderr: 0 },
    lastEvent: events.length,
  }
}

describe.each(engines)('runs and their mirror on %s', (engine) => {
  test('a log takes what may follow, all of it or nothing, and the mirror of it is the same, however it is delivered', async () => {
    await using origin = await testStore(engine)
    await using mirror = await testStore(engine)
    let round = 0
    let refused = 0
    const deliveries = fc.array(fc.record({ again: fc.nat(6), count: fc.integer({ min: 1, max: 8 }) }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(appends, deliveries, async (all, pieces) => {
        round += 1
        const host = `host${round}`
        const logs = new Map<string, RunEvent[]>()
        for (const run of ['a', 'b', 'c']) {
          await acceptRun(origin, { host, run, spec, parent: null, title: run, fence: 0, at: time(0) })
          logs.set(run, await readEvents(origin, host, run, 0, 10))
        }
        for (const [n, { run, bodies: told }] of all.entries()) {
          const bodies = told.map((body) => ({ ...body, at: time(1 + n) }))
          const log = logs.get(run) as RunEvent[]
          const longer = [...log, ...bodies.map((body, i) => ({ ...body, seq: log.length + 1 + i }) as RunEvent)]
          const allowed = retold(longer) !== undefined
          const appended = await appendEvents(origin, host, run, bodies).catch((error: { code: string }) => error)
          if (allowed) logs.set(run, longer)
          else refused += 1
          expect(appended).toMatchObject(allowed ? { run: retold(longer) } : { code: 'run.transition' })
        }
        const journal = await readJournal(origin, host, 0, 1000)
        for (const { again, count } of [...pieces, { again: 0, count: journal.length }]) {
          const from = Math.max(0, (await mirrorCursor(mirror, host)) - again)
          await mirrorEntries(mirror, host, journal.slice(from, from + count))
        }
        for (const [run, log] of logs) {
          expect(await readEvents(mirror, host, run, 0, 100)).toEqual(log)
          expect(await getRun(mirror, host, run)).toMatchObject(retold(log) as object)
          expect(await getRun(mirror, host, run)).toEqual(await getRun(origin, host, run))
        }
        expect(await mirrorEntries(mirror, host, journal)).toEqual([])
      }),
      { numRuns: engine === 'sqlite' ? 300 : 30 },
    )
    expect(refused).toBeGreaterThan(10)
  })
})
