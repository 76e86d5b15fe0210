import { expect, test } from 'vitest'
import type { Run } from '../contract/run.ts'
import { lastKnown } from './last-known.ts'

const run = (id: string, state: Run['state']) => ({ id, state }) as Run

test('the last that was heard of a run is what is known of it', () => {
  const known = lastKnown()
  expect(known.of('a')).toBeUndefined()
  known.note(run('a', 'starting'))
  known.note(run('a', 'running'))
  expect(known.of('a')).toEqual(run('a', 'running'))
})

test('it holds so many, and forgets the one not heard of for longest', () => {
  const known = lastKnown(2)
  for (const id of ['a', 'b', 'a', 'c']) known.note(run(id, 'running'))
  expect(['a', 'b', 'c'].map((id) => known.of(id) !== undefined)).toEqual([true, false, true])
})
