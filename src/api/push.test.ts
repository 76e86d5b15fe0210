import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { push } from './push.ts'

const here = new AbortController().signal
const kibi = 1024

/** Pieces as fast as they are taken, forever or so many; `given` counts them. */
function source(most = Number.POSITIVE_INFINITY) {
  const counts = { given: 0, ended: false }
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (counts.given === most) return controller.close()
      counts.given++
      controller.enqueue(new Uint8Array(kibi))
    },
    cancel() {
      counts.ended = true
    },
  })
  return { body, counts }
}

test('a reader who reads gets all of it', async () => {
  let read = 0
  const reader = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      read += chunk.length
      setImmediate(done)
    },
  })
  await push(source(500).body, reader, here, 1024 * kibi)
  expect({ read, ended: reader.writableFinished }).toEqual({ read: 500 * kibi, ended: true })
})

test('a reader who reads nothing is cut off after so much, and the source ends', async () => {
  const reader = new Writable({ write: () => undefined })
  const { body, counts } = source()
  await push(body, reader, here, 100 * kibi)
  expect(reader.destroyed).toBe(true)
  await expect.poll(() => counts.ended).toBe(true)
  expect(counts.given).toBeLessThan(300)
})

test('it ends with its signal', async () => {
  const leaving = new AbortController()
  const reader = new Writable({ write: (_chunk, _encoding, done) => done() })
  const { body, counts } = source(1)
  const never = body.pipeThrough(new TransformStream({ flush: () => new Promise(() => undefined) }))
  const pushing = push(never, reader, leaving.signal)
  leaving.abort()
  await pushing
  expect(reader.destroyed).toBe(true)
  expect(counts.given).toBeLessThan(2)
})
