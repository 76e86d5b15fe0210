// Flow control between two real peers: many streams at once, either way, of any sizes and speeds, that are read, left, cancelled or fail
// at any moment. A tap on the channel counts what is on its way, by the frames alone.

import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { operation } from '../contract/operation.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { creditOf, decodeFrame, frameType, sentBy } from './frame.ts'
import { createPeer } from './peer.ts'

const window = 4096
const limits = { window, maxFrame: 64 * 1024 }
const frameCharge = 128

const shared = { summary: '', errors: [], scope: 'read', deferrable: false, http: 'GET /test' } as const
const input = z.strictObject({ stream: z.int() })
const bytes = operation({ ...shared, kind: 'bytes', name: 'test.bytes', input, output: z.unknown() })
const items = operation({ ...shared, kind: 'items', name: 'test.items', input, output: z.string() })
const upload = operation({ ...shared, kind: 'upload', name: 'test.upload', input, output: z.int() })
const add = operation({ ...shared, kind: 'call', name: 'test.add', input: z.strictObject({ a: z.int() }), output: z.int() })
const principal: Principal = { kind: 'node', id: 'x', role: 'viewer', scopes: new Set(['read']) }

const speeds = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 5 })
const stream = fc.record({
  kind: fc.constantFrom('bytes', 'items', 'upload'),
  sizes: fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3 * window })), { maxLength: 12 }),
  writing: speeds,
  reading: speeds,
  /** How many pieces until it ends before its end, and in which way. */
  early: fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({ after: fc.nat(6), how: fc.constantFrom('reader leaves', 'caller cancels', 'source fails') }),
    },
  ),
})
type Stream = typeof stream extends fc.Arbitrary<infer S> ? S : never

async function pauses(turns: number | undefined): Promise<void> {
  for (let n = 0; n < (turns ?? 0); n++) await turn()
}

/** What is on its way and not granted back, for each stream; `check` is told of each change. */
function tap(left: Channel, right: Channel, check: (before: number, cost: number, kind: 'data' | 'item') => void): void {
  const unread = new Map<string, number>()
  const watch = (channel: Channel) => {
    const send = channel.send
    Object.assign(channel, {
      send(frame: Frame) {
        send(frame)
        if (frame.kind !== 'binary') return
        const { type, from, id, payload } = decodeFrame(frame.bytes)
        if (type === frameType.credit) {
          const key = `${id}/${from === sentBy.caller ? sentBy.callee : sentBy.caller}`
          unread.set(key, (unread.get(key) ?? 0) - creditOf(decodeFrame(frame.bytes)))
        } else if (type === frameType.data || type === frameType.item) {
          const before = unread.get(`${id}/${from}`) ?? 0
          const cost = payload.length + frameCharge
          check(before, cost, type === frameType.item ? 'item' : 'data')
          unread.set(`${id}/${from}`, before + cost)
        }
      },
    })
  }
  watch(left)
  watch(right)
}

/** The pieces of a stream, each told apart by what it is filled with. */
function pieceOf({ kind, sizes }: Stream, at: number): Buffer | string {
  const size = sizes[at] as number
  return kind === 'items' ? String.fromCharCode(97 + (at % 26)).repeat(size) : Buffer.alloc(size, at + 1)
}

async function* sourceOf(one: Stream): AsyncGenerator<Buffer | string> {
  for (const at of one.sizes.keys()) {
    await pauses(one.writing[at % one.writing.length])
    if (one.early?.how === 'source fails' && at >= one.early.after) throw failure('run.ended', { run: 'r', state: 'failed' })
    yield pieceOf(one, at)
  }
}

/** Reads to the end or leaves; what it got. */
async function readFrom(one: Stream, pieces: AsyncIterable<Uint8Array | string>, got: (Uint8Array | string)[]): Promise<void> {
  if (one.early?.how === 'reader leaves' && one.early.after === 0) return
  for await (const piece of pieces) {
    got.push(typeof piece === 'string' ? piece : Buffer.from(piece))
    if (one.early?.how === 'reader leaves' && got.length >= one.early.after) return
    await pauses(one.reading[got.length % one.reading.length])
  }
}

const whole = (pieces: readonly (Uint8Array | string)[]) =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(`${piece}\n`) : piece)))

test('streams of all kinds share a connection: within their windows, whole, in order, and none for ever', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 5 }), async (streams) => {
      const [left, right] = memoryChannels()
      tap(left, right, (before, cost, kind) => {
        if (kind === 'item') expect(before).toBeLessThan(window)
        else expect(before + cost).toBeLessThanOrEqual(window)
      })
      const uploaded = streams.map((): Uint8Array[] => [])
      const offers = implementation(
        implement(bytes, ({ stream }) => sourceOf(streams[stream] as Stream) as AsyncIterable<Uint8Array>),
        implement(items, ({ stream }) => sourceOf(streams[stream] as Stream) as AsyncIterable<string>),
        implement(upload, async ({ stream }, _, body) => {
          await readFrom(streams[stream] as Stream, body, uploaded[stream] as Uint8Array[])
          return stream
        }),
        implement(add, async ({ a }) => a + 1),
      )
      const asking = createPeer(left, { offers: new Map(), principal, limits })
      const answering = createPeer(right, { offers, principal, limits })

      const outcomes = await Promise.all(
        streams.map(async (one, n) => {
          const cancelling = new AbortController()
          const options = { signal: cancelling.signal }
          const got = one.kind === 'upload' ? (uploaded[n] as Uint8Array[]) : []
          if (one.early?.how === 'caller cancels') void pauses(one.early.after * 3).then(() => cancelling.abort())
          const carried =
            one.kind === 'upload'
              ? asking.upload(upload, { stream: n }, sourceOf(one) as AsyncIterable<Uint8Array>, options)
              : readFrom(
                  one,
                  one.kind === 'bytes'
                    ? asking.bytes(bytes, { stream: n }, options)
                    : asking.items(items, { stream: n }, options),
                  got,
                )
          const error = await (carried as Promise<unknown>).then(
            () => undefined,
            (error: unknown) => error as { code: string },
          )
          return { one, got, error }
        }),
      )
      for (const { one, got, error } of outcomes) {
        const sent = whole(one.sizes.map((_, at) => pieceOf(one, at)))
        const read = whole(got)
        expect(read.equals(sent.subarray(0, read.length))).toBe(true)
        if (one.early === undefined) expect([error, read.length]).toEqual([undefined, sent.length])
        else if (error) expect(['call.cancelled', 'run.ended']).toContain(error.code)
      }
      // Nobody is left waiting, and the connection has outlived all of it.
      for (let n = 0; asking.pendingCalls > 0 && n < 100; n++) await turn()
      expect(asking.pendingCalls).toBe(0)
      expect(await asking.call(add, { a: 1 })).toBe(2)
      await asking[Symbol.asyncDispose]()
      await answering[Symbol.asyncDispose]()
    }),
    { numRuns: 600 },
  )
})
