import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { failure, hasCode } from '../contract/errors.ts'
import { openInvocations } from './invocations.ts'

const about = { owner: 'me', node: 'box', command: 'exec' }
const here = new AbortController().signal

/** A command that goes on until it is ended. */
function lasting(): { readonly carryOut: (signal: AbortSignal) => Promise<unknown>; readonly ended: Promise<unknown> } {
  const { promise: ended, resolve } = Promise.withResolvers<unknown>()
  const carryOut = (signal: AbortSignal) =>
    new Promise<unknown>((_, reject) => {
      signal.addEventListener('abort', () => {
        resolve(signal.reason)
        reject(signal.reason)
      })
    })
  return { carryOut, ended }
}

test('what nobody asks for any more is ended, and what somebody waits for is not', async () => {
  const invocations = openInvocations({ unattendedMs: 50, keptMs: 10_000 })
  const alone = lasting()
  invocations.begin(about, alone.carryOut)
  expect(hasCode(await alone.ended, 'call.cancelled')).toBe(true)
  const attended = lasting()
  const invocation = invocations.begin(about, attended.carryOut)
  await invocations.wait(invocation, { ms: 200, signal: here })
  expect(invocation.end).toBeNull()
  expect(hasCode(await attended.ended, 'call.cancelled')).toBe(true)
})

test('of two who wait, the one who leaves ends nothing, and the last one does', async () => {
  const invocations = openInvocations({ unattendedMs: 60_000, keptMs: 60_000 })
  const { carryOut, ended } = lasting()
  const invocation = invocations.begin(about, carryOut)
  const [first, second] = [new AbortController(), new AbortController()]
  const waits = [first, second].map(({ signal }) =>
    invocations.wait(invocation, { ms: 60_000, signal }).catch((error: unknown) => error),
  )
  first.abort(failure('call.cancelled'))
  await waits[0]
  expect(invocation.end).toBeNull()
  second.abort(failure('call.cancelled'))
  expect(hasCode(await ended, 'call.cancelled')).toBe(true)
  await Promise.all(waits)
})

test("a result is kept for who asks in time, and a handle is its owner's alone", async () => {
  const invocations = openInvocations({ unattendedMs: 60_000, keptMs: 100 })
  const { handle } = invocations.begin(about, async () => 'done')
  await vi.waitFor(() => expect(invocations.find('me', handle).end).toMatchObject({ result: 'done' }))
  expect(() => invocations.find('another', handle)).toThrow(expect.objectContaining({ code: 'tool.handle_unknown' }))
  await vi.waitFor(
    () => expect(() => invocations.find('me', handle)).toThrow(expect.objectContaining({ code: 'tool.handle_unknown' })),
    {
      timeout: 30_000,
    },
  )
})

test('results beyond what is kept go, the oldest first', async () => {
  const invocations = openInvocations({ unattendedMs: 60_000, keptMs: 60_000 })
  const large = 'x'.repeat(8 * 1024 * 1024)
  const handles: string[] = []
  for (let i = 0; i < 12; i++) {
    handles.push(invocations.begin(about, async () => large).handle)
    await sleep(0)
  }
  const kept = handles.filter((handle) => {
    try {
      return invocations.find('me', handle)
    } catch {
      return false
    }
  })
  expect(kept).toEqual(handles.slice(-kept.length))
  expect(kept.length).toBeGreaterThan(4)
  expect(kept.length).toBeLessThan(9)
})

test('one owner has so many under way at once, whatever others have', async () => {
  const invocations = openInvocations()
  const begun = Array.from({ length: 512 }, () => invocations.begin(about, lasting().carryOut))
  expect(() => invocations.begin(about, lasting().carryOut)).toThrow(expect.objectContaining({ code: 'tool.busy' }))
  const { end } = invocations.begin({ ...about, owner: 'another' }, lasting().carryOut)
  expect({ end, begun: begun.length }).toEqual({ end: null, begun: 512 })
  invocations.close(failure('call.cancelled'))
})
