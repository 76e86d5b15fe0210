import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { eventually } from '../../test/resources/eventually.ts'
import { failure } from '../contract/errors.ts'
import { type Implementation, implement, implementation, type Principal } from '../contract/implementation.ts'
import { operation } from '../contract/operation.ts'
import type { Limits } from './limits.ts'
import { type ChannelKind, channelKinds, openPair } from './pairs.fixture.ts'
import { createPeer, type Peer } from './peer.ts'

const shared = { summary: '', errors: [], scope: 'read', deferrable: false, http: 'GET /test' } as const
const add = operation({
  ...shared,
  kind: 'call',
  name: 'test.add',
  input: z.strictObject({ a: z.number(), b: z.number() }),
  output: z.number(),
})
const wait = operation({ ...shared, kind: 'call', name: 'test.wait', input: z.strictObject({}), output: z.string() })
const fail = operation({ ...shared, kind: 'call', name: 'test.fail', input: z.strictObject({}), output: z.null() })
const lie = operation({ ...shared, kind: 'call', name: 'test.lie', input: z.strictObject({}), output: z.number() })
const admin = operation({
  ...shared,
  scope: 'admin',
  kind: 'call',
  name: 'test.admin',
  input: z.strictObject({}),
  output: z.null(),
})
const count = operation({
  ...shared,
  kind: 'items',
  name: 'test.count',
  input: z.strictObject({ to: z.int() }),
  output: z.object({ n: z.int() }),
})
const tick = operation({
  ...shared,
  kind: 'items',
  name: 'test.tick',
  input: z.strictObject({}),
  output: z.object({ n: z.int() }),
})
const blob = operation({
  ...shared,
  kind: 'bytes',
  name: 'test.blob',
  input: z.strictObject({ size: z.int() }),
  output: z.unknown(),
})
const sum = operation({ ...shared, kind: 'upload', name: 'test.sum', input: z.strictObject({}), output: z.number() })
const firstByte = operation({ ...shared, kind: 'upload', name: 'test.first', input: z.strictObject({}), output: z.number() })

const viewer: Principal = { kind: 'user', id: 'tester', role: 'viewer', scopes: new Set(['read']) }

interface Seen {
  waiting: number
  aborted: unknown[]
  left: number
}

function offer(seen: Seen = { waiting: 0, aborted: [], left: 0 }): Implementation {
  return implementation(
    implement(add, async ({ a, b }) => a + b),
    implement(
      wait,
      (_, { signal, progress }) =>
        new Promise((_, reject) => {
          seen.waiting++
          progress('waiting')
          signal.addEventListener('abort', () => {
            seen.aborted.push(signal.reason)
            reject(signal.reason)
          })
        }),
    ),
    implement(fail, async () => {
      throw failure('run.unknown', { run: 'r1' })
    }),
    implement(lie, (async () => 'not a number') as unknown as () => Promise<number>),
    implement(admin, async () => null),
    implement(count, async function* ({ to }) {
      for (let n = 1; n <= to; n++) yield { n }
    }),
    implement(tick, async function* (_, { signal }) {
      try {
        for (let n = 1; !signal.aborted; n++) {
          yield { n }
          await delay(1)
        }
      } finally {
        seen.left++
      }
    }),
    implement(blob, async function* ({ size }) {
      for (let at = 0; at < size; at += 100_000) yield Buffer.alloc(Math.min(100_000, size - at), at / 100_000)
    }),
    implement(sum, async (_input, _context, body) => {
      let total = 0
      for await (const piece of body) for (const byte of piece) total += byte
      return total
    }),
    implement(firstByte, async (_input, _context, body) => {
      for await (const piece of body) return piece[0] as number
      return -1
    }),
  )
}

async function openPeers(kind: ChannelKind, { limits = {}, seen }: { limits?: Partial<Limits>; seen?: Seen } = {}) {
  const channels = await openPair(kind)
  const left = createPeer(channels.left, { offers: offer(), principal: viewer, limits, name: 'right' })
  const right = createPeer(channels.right, { offers: offer(seen), principal: viewer, limits, name: 'left' })
  return {
    left,
    right,
    channels,
    async [Symbol.asyncDispose]() {
      await left[Symbol.asyncDispose]()
      await right[Symbol.asyncDispose]()
      await channels[Symbol.asyncDispose]()
    },
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(items)
}

describe.each(channelKinds)('two peers over %s', (kind) => {
  test('calls go both ways at once, under the same ids', async () => {
    await using peers = await openPeers(kind)
    const ask = (peer: Peer, n: number) => peer.call(add, { a: n, b: 1 })
    const numbers = Array.from({ length: 200 }, (_, n) => n)
    const answers = await Promise.all(numbers.flatMap((n) => [ask(peers.left, n), ask(peers.right, n)]))
    expect(answers).toEqual(numbers.flatMap((n) => [n + 1, n + 1]))
    expect([peers.left.pendingCalls, peers.right.pendingCalls]).toEqual([0, 0])
  })

  test('a failure of the handler reaches the caller as it is', async () => {
    await using peers = await openPeers(kind)
    await expect(peers.left.call(fail, {})).rejects.toMatchObject({ code: 'run.unknown', status: 404 })
  })

  test('items arrive whole and in order', async () => {
    await using peers = await openPeers(kind)
    const items = await collect(peers.left.items(count, { to: 20_000 }))
    expect(items.length).toBe(20_000)
    expect(items.every(({ n }, at) => n === at + 1)).toBe(true)
    expect(peers.left.pendingCalls).toBe(0)
  })

  test('bytes arrive whole and in order, beyond the window', async () => {
    await using peers = await openPeers(kind)
    const size = 5_050_000
    const bytes = Buffer.concat(await collect(peers.left.bytes(blob, { size })))
    expect(bytes.length).toBe(size)
    expect([bytes[0], bytes[2_500_000], bytes[5_049_999]]).toEqual([0, 25, 50])
  })

  test('an upload reaches the handler and is answered', async () => {
    await using peers = await openPeers(kind)
    const body = async function* () {
      for (let n = 0; n < 20; n++) yield Buffer.alloc(100_000, 1)
    }
    expect(await peers.left.upload(sum, {}, body())).toBe(2_000_000)
    expect(peers.left.pendingCalls).toBe(0)
  })

  test('an upload that is answered early stops at its source', async () => {
    await using peers = await openPeers(kind)
    let left = false
    const body = async function* () {
      try {
        for (;;) yield Buffer.alloc(100_000, 7)
      } finally {
        left = true
      }
    }
    expect(await peers.left.upload(firstByte, {}, body())).toBe(7)
    await eventually(() => expect(left).toBe(true))
    expect(await peers.left.call(add, { a: 1, b: 1 })).toBe(2)
  })

  test('leaving a stream early cancels it at its source', async () => {
    const seen: Seen = { waiting: 0, aborted: [], left: 0 }
    await using peers = await openPeers(kind, { seen })
    for await (const { n } of peers.left.items(tick, {})) if (n === 3) break
    await eventually(() => expect(seen.left).toBe(1))
    expect(peers.left.pendingCalls).toBe(0)
  })

  test('cancelling ends the call at once and reaches the handler', async () => {
    const seen: Seen = { waiting: 0, aborted: [], left: 0 }
    await using peers = await openPeers(kind, { seen })
    const cancelling = new AbortController()
    const progress: unknown[] = []
    const call = peers.left.call(wait, {}, { signal: cancelling.signal, onProgress: (value) => progress.push(value) })
    await eventually(() => expect(progress).toEqual(['waiting']))
    cancelling.abort()
    await expect(call).rejects.toMatchObject({ code: 'call.cancelled' })
    await eventually(() => expect(seen.aborted).toMatchObject([{ code: 'call.cancelled' }]))
  })

  test('a deadline ends the call and its handler', async () => {
    const seen: Seen = { waiting: 0, aborted: [], left: 0 }
    await using peers = await openPeers(kind, { seen })
    await expect(peers.left.call(wait, {}, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'call.deadline' })
    await eventually(() => expect(seen.aborted.length).toBe(1))
  })

  test('closing ends every call of either side', async () => {
    const seen: Seen = { waiting: 0, aborted: [], left: 0 }
    await using peers = await openPeers(kind, { seen })
    const calls = Array.from({ length: 50 }, () => peers.left.call(wait, {}).catch((error: unknown) => error))
    await eventually(() => expect(seen.waiting).toBe(50))
    peers.right.close(failure('node.unknown'))
    const errors = await Promise.all(calls)
    for (const error of errors) expect(error).toMatchObject({ code: 'wire.closed' })
    expect(seen.aborted.length).toBe(50)
    expect(await peers.left.closed).toMatchObject({ code: 'node.unknown' })
    expect(peers.left.pendingCalls).toBe(0)
    await expect(peers.left.call(add, { a: 1, b: 1 })).rejects.toMatchObject({ code: 'wire.closed' })
  })
})
