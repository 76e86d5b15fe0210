import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyEvent, EventBody, type RunEvent } from './event.ts'
import { isTerminal, mayFollow, type Run, type RunState, runStates } from './run.ts'

const address = { host: 'local', run: 'run_1' }
const states = Object.keys(runStates) as RunState[]
const at = '2026-01-01T00:00:00.000Z'
const accepted: RunEvent = { type: 'accepted', seq: 1, at, kind: 'command', title: 'x', parent: null }

test('folding any events either keeps to the table of states or refuses the one that does not', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...states), { maxLength: 12 }), (next) => {
      let run: Run = applyEvent(undefined, address, accepted)
      for (const [i, state] of next.entries()) {
        const event: RunEvent = { type: 'state', seq: i + 2, at, state }
        if (!mayFollow(run.state, state)) {
          expect(() => applyEvent(run, address, event)).toThrow(expect.objectContaining({ code: 'run.transition' }))
          continue
        }
        run = applyEvent(run, address, event)
        expect(run).toMatchObject({ state, lastEvent: i + 2 })
        expect(run.endedAt !== null).toBe(isTerminal(state))
      }
    }),
  )
})

test('the first event makes the run, and nothing else can be first', () => {
  expect(applyEvent(undefined, address, accepted)).toMatchObject({ id: 'run_1', state: 'starting', lastEvent: 1 })
  expect(() => applyEvent(undefined, address, { type: 'state', seq: 1, at, state: 'running' })).toThrow(
    expect.objectContaining({ code: 'run.unknown' }),
  )
})

test('a run is accepted once: nothing leads back to its beginning', () => {
  const failed = applyEvent(applyEvent(undefined, address, accepted), address, { type: 'state', seq: 2, at, state: 'failed' })
  for (const before of [applyEvent(undefined, address, accepted), failed]) {
    expect(() => applyEvent(before, address, { ...accepted, seq: 3 })).toThrow(
      expect.objectContaining({ code: 'run.transition' }),
    )
  }
})

test('what an event does not say stays as it was', () => {
  const running = applyEvent(applyEvent(undefined, address, accepted), address, {
    type: 'state',
    seq: 2,
    at,
    state: 'running',
    pid: 7,
  })
  const stopping = applyEvent(running, address, { type: 'state', seq: 3, at, state: 'stopping', reason: 'cancel' })
  expect(stopping).toMatchObject({ pid: 7, startedAt: at, exit: null })
})

test.each([{ type: 'state', state: 'exploded' }, { type: 'unit.started' }, { type: 'unknown' }, {}, null])(
  '%o is no event',
  (body) => expect(EventBody.safeParse(body).success).toBe(false),
)
