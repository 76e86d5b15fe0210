import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { direct } from './direct.ts'
import { followEvents } from './event.ts'
import { getHostInfo } from './host.ts'
import { implement, implementation, type Principal } from './implementation.ts'

const viewer: Principal = { kind: 'user', id: 'v', role: 'viewer', scopes: new Set(['read']) }
const nobody: Principal = { kind: 'node', id: 'n', role: 'node', scopes: new Set() }
const silent = implementation(
  implement(getHostInfo, () => new Promise(() => {})),
  implement(followEvents, async function* (_, { signal }) {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }),
)

test('a call that is never answered ends at its deadline, or when its caller cancels, and lets go of the signal', async () => {
  const caller = direct(silent, viewer)
  await expect(caller.call(getHostInfo, {}, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'call.deadline' })
  const leaving = new AbortController()
  const asked = caller.call(getHostInfo, {}, { signal: leaving.signal })
  leaving.abort()
  await expect(asked).rejects.toMatchObject({ code: 'call.cancelled' })
  expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(0)
})

test('who may not, and what does not fit, is refused at the door', async () => {
  await expect(direct(silent, nobody).call(getHostInfo, {})).rejects.toMatchObject({ code: 'auth.forbidden' })
  const wrong = direct(silent, viewer).items(followEvents, { run: '../x' })
  await expect(wrong[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'input.invalid' })
})

test('the deadline of a stream bounds its first item only; leaving the loop ends it at its source', async () => {
  let ended = false
  const slow = implementation(
    implement(followEvents, async function* (_, { signal }) {
      signal.addEventListener('abort', () => {
        ended = true
      })
      for (let seq = 1; ; seq++) {
        yield { type: 'step.started', seq, at: '2026-01-01T00:00:00.000Z', step: 'a', units: 1 }
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }),
  )
  for await (const { seq } of direct(slow, viewer).items(followEvents, { run: 'r' }, { timeoutMs: 25 })) if (seq === 6) break
  expect(ended).toBe(true)
  const never = direct(silent, viewer).items(followEvents, { run: 'r' }, { timeoutMs: 5 })
  await expect(never[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'call.deadline' })
})
