import { expect, test } from 'vitest'
import { asMusterError, failure } from '../../contract/errors.ts'
import type { Invocation } from './command.ts'
import { sameKey } from './same-key.ts'

const keyed = { asker: 'hub:1', key: 'k', command: 'exec', request: { params: { a: 1 } } }
const waiting = (): Invocation & { leave(reason?: unknown): void; told: unknown[] } => {
  const leaving = new AbortController()
  const told: unknown[] = []
  return {
    signal: leaving.signal,
    progress: (value) => told.push(value),
    asker: null,
    leave: (reason) => leaving.abort(reason),
    told,
  }
}

test('the same is done once: who comes while it goes on joins it, who comes after is given its answer', async () => {
  const table = sameKey()
  const done = Promise.withResolvers<string>()
  let begun = 0
  const work = async ({ progress }: Invocation, begins: () => void) => {
    begun++
    begins()
    await Promise.resolve()
    progress('on its way')
    return done.promise
  }
  const [first, second] = [waiting(), waiting()]
  const answers = [table.once(keyed, first, work), table.once(keyed, second, work)]
  done.resolve('answer')
  expect(await Promise.all(answers)).toEqual(['answer', 'answer'])
  expect([first.told, second.told]).toEqual([['on its way'], ['on its way']])
  expect(await table.once(keyed, waiting(), work)).toBe('answer')
  expect(begun).toBe(1)
})

test('another request is a conflict; another asker, or another key, is another matter', async () => {
  const table = sameKey()
  let begun = 0
  const work = async (_: Invocation, begins: () => void) => {
    begins()
    return ++begun
  }
  expect(await table.once(keyed, waiting(), work)).toBe(1)
  expect(() => table.once({ ...keyed, request: { params: { a: 2 } } }, waiting(), work)).toThrow(
    expect.objectContaining({ code: 'invoke.conflict' }),
  )
  expect(() => table.once({ ...keyed, command: 'shell' }, waiting(), work)).toThrow(
    expect.objectContaining({ code: 'invoke.conflict' }),
  )
  expect(await table.once({ ...keyed, asker: 'hub:2' }, waiting(), work)).toBe(2)
  expect(await table.once({ ...keyed, key: 'other' }, waiting(), work)).toBe(3)
})

test('what failed once it had begun is its answer; what had not begun is done anew', async () => {
  const table = sameKey()
  let tried = 0
  const fails = (begin: boolean) => async (_: Invocation, begins: () => void) => {
    tried++
    if (begin) begins()
    throw failure('invoke.busy', { most: tried })
  }
  for (let time = 1; time <= 2; time++) {
    const error = await table.once(keyed, waiting(), fails(false)).catch(asMusterError)
    expect(error).toMatchObject({ code: 'invoke.busy' })
    expect(tried).toBe(time)
  }
  for (let time = 1; time <= 2; time++) {
    await expect(table.once(keyed, waiting(), fails(true))).rejects.toMatchObject({ code: 'invoke.busy' })
    expect(tried).toBe(3)
  }
})

test('answers are forgotten after ten minutes', async () => {
  let now = 0
  const table = sameKey(() => now)
  let begun = 0
  const work = async (_: Invocation, begins: () => void) => {
    begins()
    return ++begun
  }
  await table.once(keyed, waiting(), work)
  now = 9 * 60_000
  expect(await table.once(keyed, waiting(), work)).toBe(1)
  now = 11 * 60_000
  await table.once({ ...keyed, key: 'other' }, waiting(), work)
  expect(await table.once(keyed, waiting(), work)).toBe(3)
})

test('there are at most a thousand of them, and the oldest go first', async () => {
  const table = sameKey()
  let begun = 0
  const work = async (_: Invocation, begins: () => void) => {
    begins()
    return ++begun
  }
  for (let key = 0; key < 1_001; key++) await table.once({ ...keyed, key: String(key) }, waiting(), work)
  expect(await table.once({ ...keyed, key: '1000' }, waiting(), work)).toBe(1_001)
  expect(await table.once({ ...keyed, key: '0' }, waiting(), work)).toBe(1_002)
})

test('a link that broke ends nothing', async () => {
  const table = sameKey()
  const done = Promise.withResolvers<string>()
  let ended = false
  const work = async ({ signal }: Invocation, begins: () => void) => {
    begins()
    signal.addEventListener('abort', () => {
      ended = true
    })
    return done.promise
  }
  const first = waiting()
  const answer = table.once(keyed, first, work)
  first.leave(failure('wire.closed', { reason: 'cut' }))
  const again = table.once(keyed, waiting(), work)
  done.resolve('answer')
  expect(await Promise.all([answer, again])).toEqual(['answer', 'answer'])
  expect(ended).toBe(false)
})
