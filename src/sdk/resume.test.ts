import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { failure, type MusterError } from '../contract/errors.ts'
import { resumed } from './resume.ts'

const broken = () => failure('wire.closed', { reason: 'cut' })
const noWait = { random: () => 0 }

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** A read that fails at once. */
function failing(error: MusterError): AsyncIterable<number> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }
}

test('goes on after each break until the read ends', async () => {
  let attempt = 0
  const read = async function* (connected: () => void) {
    connected()
    yield ++attempt
    if (attempt < 4) throw broken()
  }
  expect(await collect(resumed(read, new AbortController().signal, noWait))).toEqual([1, 2, 3, 4])
})

test('wherever it breaks, a read that goes on after its last value has no gap and no repeat', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60), fc.array(fc.nat(20), { maxLength: 8 }), async (total, lengths) => {
      const breaks = [...lengths]
      let last = 0
      const read = async function* (connected: () => void) {
        connected()
        const before = breaks.shift() ?? Number.POSITIVE_INFINITY
        for (let given = 0; last < total; given++) {
          if (given === before) throw broken()
          yield ++last
        }
      }
      const expected = Array.from({ length: total }, (_, index) => index + 1)
      expect(await collect(resumed(read, new AbortController().signal, noWait))).toEqual(expected)
    }),
    { numRuns: 50 },
  )
})

test('does not repeat a first attempt that never connected', async () => {
  const read = vi.fn(() => failing(failure('hub.not_running', { where: 'x' })))
  await expect(collect(resumed(read, new AbortController().signal, noWait))).rejects.toMatchObject({ code: 'hub.not_running' })
  expect(read).toHaveBeenCalledOnce()
})

test('does not repeat what the hub refused', async () => {
  const read = vi.fn((connected: () => void) => {
    connected()
    return failing(failure('run.unknown', { run: 'r' }))
  })
  await expect(collect(resumed(read, new AbortController().signal, noWait))).rejects.toMatchObject({ code: 'run.unknown' })
  expect(read).toHaveBeenCalledOnce()
})

test('gives up on a hub that takes connections and says nothing', async () => {
  const read = vi.fn((connected: () => void) => {
    connected()
    return failing(broken())
  })
  const policy = { giveUpMs: 500, random: () => 1 }
  await expect(collect(resumed(read, new AbortController().signal, policy))).rejects.toMatchObject({ code: 'wire.closed' })
  // Waits of 100 and 200 ms fit into 500, one of 400 more does not.
  expect(read).toHaveBeenCalledTimes(3)
})

test('waits no longer once it is cancelled', async () => {
  const leaving = new AbortController()
  const read = (connected: () => void) => {
    connected()
    setImmediate(() => leaving.abort(failure('call.cancelled')))
    return failing(broken())
  }
  await expect(collect(resumed(read, leaving.signal, { random: () => 1 }))).rejects.toMatchObject({ code: 'call.cancelled' })
})
