import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RunId } from './names.ts'
import { isTerminal, mayFollow, RunSpec, type RunState, runStates, runTitle } from './run.ts'

const states = Object.keys(runStates) as RunState[]

test('every state that is not terminal has an owner, a deadline, and a way to an end', () => {
  const reaches = (from: RunState, seen = new Set<RunState>()): boolean =>
    isTerminal(from) || (!seen.has(from) && runStates[from].next.some((next) => reaches(next, new Set([...seen, from]))))
  for (const state of states.filter((state) => !isTerminal(state))) {
    expect(runStates[state].owner, state).not.toBe('nobody')
    expect(runStates[state].deadline, state).not.toBe('')
    expect(reaches(state), state).toBe(true)
  }
})

test('nothing follows a terminal state, and only a lapsed claim and a run that goes on lead back', () => {
  const back = [
    ['claimed', 'queued'],
    ['paused', 'running'],
  ]
  for (const from of states) {
    for (const to of states.filter((to) => mayFollow(from, to))) {
      expect(isTerminal(from)).toBe(false)
      if (states.indexOf(to) < states.indexOf(from)) expect(back).toContainEqual([from, to])
    }
  }
})

test('a run id is a safe file name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9_.\-/\\]{0,140}$/)), (text) => {
      if (!RunId.safeParse(text).success) return
      expect(text).toMatch(/^[A-Za-z0-9]/)
      expect(text).not.toMatch(/[/\\]|\.\.|\p{C}/u)
      expect(text.length).toBeLessThanOrEqual(128)
    }),
    { numRuns: 5_000 },
  )
})

test.each([
  [{ kind: 'command', argv: [] }],
  [{ kind: 'command', argv: [''] }],
  [{ kind: 'command', argv: ['a\0b'] }],
  [{ kind: 'command', argv: ['a'], env: { 'A=B': 'c' } }],
  [{ kind: 'command', argv: ['a'], timeoutMs: 0 }],
  [{ kind: 'command', argv: ['a'], shell: true }],
  [{ kind: 'session' }],
])('%o is no spec', (spec) => expect(RunSpec.safeParse(spec).success).toBe(false))

test('a title is one short line, whatever the arguments hold', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (argv) => {
      const title = runTitle(RunSpec.parse({ kind: 'command', argv: ['run', ...argv.filter((arg) => !arg.includes('\0'))] }))
      expect(title.length).toBeLessThanOrEqual(200)
      expect(title).not.toMatch(/[\n\r\u001b]/)
    }),
  )
})
