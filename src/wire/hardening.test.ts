// What a hostile or broken other side can do to a peer: here the left end is such a side, speaking raw frames.

import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { eventually } from '../../test/resources/eventually.ts'
import { failure } from '../contract/errors.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { operation } from '../contract/operation.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { encodeCredit, encodeFrame, encodeItem, frameType, sentBy } from './frame.ts'
import type { Limits } from './limits.ts'
import { createNumbering, type Numbering } from './numbering.ts'
import { channelKinds, openPair } from './pairs.fixture.ts'
import { createPeer, type Peer } from './peer.ts'

const shared = { summary: '', errors: [], scope: 'read', deferrable: false, http: 'GET /test' } as const
const input = z.strictObject({})
const echo = operation({
  ...shared,
  kind: 'call',
  name: 'test.echo',
  input: z.strictObject({ text: z.string().default('') }),
  output: z.string(),
})
const wait = operation({ ...shared, kind: 'call', name: 'test.wait', input, output: z.null() })
const deaf = operation({ ...shared, kind: 'call', name: 'test.deaf', input, output: z.null() })
const chatty = operation({ ...shared, kind: 'call', name: 'test.chatty', input, output: z.null() })
const secret = operation({ ...shared, scope: 'admin', kind: 'call', name: 'test.secret', input, output: z.null() })
const number = operation({ ...shared, kind: 'call', name: 'test.number', input, output: z.number() })
const numbers = operation({ ...shared, kind: 'items', name: 'test.numbers', input, output: z.number() })
const blob = operation({ ...shared, kind: 'bytes', name: 'test.blob', input, output: z.unknown() })
const take = operation({ ...shared, kind: 'upload', name: 'test.take', input, output: z.null() })

const viewer: Principal = { kind: 'node', id: 'stranger', role: 'viewer', scopes: new Set(['read']) }
const window = 64 * 1024

const unhandled = vi.fn()
beforeEach(() => void process.on('unhandledRejection', unhandled))
afterEach(() => {
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

function offers(release: Promise<unknown> = new Promise(() => {})) {
  return implementation(
    implement(echo, async ({ text }) => text),
    implement(wait, (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))),
    implement(deaf, async () => {
      await release
      return null
    }),
    implement(secret, async () => null),
    implement(chatty, async (_, { progress }) => {
      progress('x'.repeat(70_000))
      return null
    }),
    implement(blob, async function* () {
      for (;;) yield Buffer.alloc(10_000)
    }),
    // Takes the body and never reads it.
    implement(take, () => new Promise(() => {})),
  )
}

/** Long enough for whatever is under way in memory to have arrived and been answered. */
async function turns(): Promise<void> {
  for (let n = 0; n < 20; n++) await turn()
}

interface Attack extends AsyncDisposable {
  readonly peer: Peer
  readonly hostile: Channel
  /** What the peer sent. */
  readonly got: Frame[]
  send(message: object | Buffer): void
  answers(): Record<string, unknown>[]
}

function attack({ limits, release }: { limits?: Partial<Limits>; release?: Promise<unknown> } = {}): Attack {
  const [hostile, channel] = memoryChannels()
  const peer = createPeer(channel, {
    offers: offers(release),
    principal: viewer,
    limits: { window, ...limits },
    name: 'stranger',
  })
  const numbering = createNumbering()
  const got: Frame[] = []
  hostile.receive((frame) => got.push(frame))
  return {
    peer,
    hostile,
    got,
    send: (message) => hostile.send(frameOf(numbering, message)),
    answers: () => got.filter((frame) => frame.kind === 'text').map((frame) => JSON.parse(frame.text) as Record<string, unknown>),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}

/** A frame as it should be, all but what it says. */
function frameOf(numbering: Numbering, message: object | Buffer): Frame {
  return Buffer.isBuffer(message)
    ? { kind: 'binary', bytes: numbering.stamp(Buffer.from(message)) }
    : { kind: 'text', text: numbering.stamp(JSON.stringify({ jsonrpc: '2.0', ...message })) }
}

const request = (id: number, method: string, params: object = {}) => ({ id, method, params })

test('answers to nothing, twice, or too late are ignored', async () => {
  await using a = attack()
  a.send({ id: 99, result: 1 })
  a.send(encodeItem(sentBy.callee, 98, '1'))
  a.send({ method: '$/progress', params: { id: 97, value: 1 } })
  const call = a.peer.call(number, {})
  a.send({ id: 1, result: 5 })
  a.send({ id: 1, result: 6 })
  a.send({ id: 1, error: { code: -1, message: 'no' } })
  expect(await call).toBe(5)
  const cancelled = a.peer.call(number, {}, { timeoutMs: 5 })
  await expect(cancelled).rejects.toMatchObject({ code: 'call.deadline' })
  a.send({ id: 2, result: 7 })
  const third = a.peer.call(number, {})
  a.send({ id: 3, result: 8 })
  expect(await third).toBe(8)
  expect(a.peer.pendingCalls).toBe(0)
})

test('a deadline ends a call that could not even be sent', async () => {
  const [silent, channel] = memoryChannels()
  // Nobody receives at the other end: what is sent stays queued.
  const peer = createPeer(channel, { offers: new Map(), principal: viewer })
  channel.send({ kind: 'binary', bytes: Buffer.alloc(600_000) })
  await expect(peer.call(number, {}, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'call.deadline' })
  expect(peer.pendingCalls).toBe(0)
  const got: Frame[] = []
  silent.receive((frame) => got.push(frame))
  await eventually(() => expect(channel.bufferedBytes).toBe(0))
  await turns()
  expect(got.filter((frame) => frame.kind === 'text')).toEqual([])
  await peer[Symbol.asyncDispose]()
})

test('one that never answers keeps a call no longer than the connection', async () => {
  await using a = attack()
  const calls = [a.peer.call(number, {}), Array.fromAsync(a.peer.items(numbers, {})), Array.fromAsync(a.peer.bytes(blob, {}))]
  const errors = Promise.all(calls.map((call) => (call as Promise<unknown>).catch((error: unknown) => error)))
  a.hostile.close(failure('wire.closed', { reason: 'cut' }))
  for (const error of await errors) expect(error).toMatchObject({ code: 'wire.closed' })
  expect(a.peer.pendingCalls).toBe(0)
})

test('an answer that the operation does not allow fails that call only', async () => {
  await using a = attack()
  const call = a.peer.call(number, {})
  a.send({ id: 1, result: 'five' })
  await expect(call).rejects.toMatchObject({ code: 'wire.protocol' })
  const items = Array.fromAsync(a.peer.items(numbers, {}))
  a.send(encodeItem(sentBy.callee, 2, '"five"'))
  await expect(items).rejects.toMatchObject({ code: 'wire.protocol' })
  const more = Array.fromAsync(a.peer.items(numbers, {}))
  a.send(encodeItem(sentBy.callee, 3, '{'))
  await expect(more).rejects.toMatchObject({ code: 'wire.protocol' })
  expect(a.answers().filter(({ method }) => method === '$/cancel').length).toBe(2)
  expect(a.peer.pendingCalls).toBe(0)
})

test('a stream that is answered before its end is not taken for whole', async () => {
  await using a = attack()
  const items = Array.fromAsync(a.peer.items(numbers, {}))
  a.send(encodeItem(sentBy.callee, 1, '1'))
  a.send({ id: 1, result: null })
  await expect(items).rejects.toMatchObject({ code: 'wire.protocol' })
})

test.each([
  ['text that is no JSON', { kind: 'text', text: '{"jsonrpc":"2.0"' }],
  ['a batch', { kind: 'text', text: '[]' }],
  ['a binary frame without a head', { kind: 'binary', bytes: Buffer.alloc(3) }],
  ['an unknown binary type', { kind: 'binary', bytes: Buffer.from([0, 0, 0, 0, 9, 0, 0, 0, 0, 1]) }],
  ['a frame over the agreed maximum', { kind: 'text', text: 'x'.repeat(2 ** 20 + 1) }],
] as [string, Frame][])('%s closes the connection with a typed error', async (_, frame) => {
  await using a = attack()
  const call = a.peer.call(number, {}).catch((error: unknown) => error)
  a.hostile.send(frame)
  expect(['wire.protocol', 'wire.too_large']).toContain((await a.peer.closed).code)
  expect(await call).toMatchObject({ code: 'wire.closed' })
  expect(a.answers().at(-1)).toMatchObject({ method: '$/close' })
})

test('an id that is in flight already closes the connection', async () => {
  await using a = attack()
  a.send(request(1, 'test.wait'))
  a.send(request(1, 'test.wait'))
  expect(await a.peer.closed).toMatchObject({ code: 'wire.protocol' })
})

test('what is not offered, not allowed or not valid is answered, and nothing runs', async () => {
  await using a = attack()
  a.send(request(1, 'no.such'))
  a.send(request(2, 'test.secret'))
  a.send(request(3, 'test.echo', { input: { text: 5 } }))
  a.send(request(4, 'test.echo', { input: {}, timeoutMs: 'soon' }))
  a.send(request(5, '__proto__'))
  await eventually(() => expect(a.answers().length).toBe(5))
  const codes = a.answers().map(({ error }) => (error as { data: { code: string } }).data.code)
  expect(codes).toEqual(['operation.unknown', 'auth.forbidden', 'input.invalid', 'input.invalid', 'operation.unknown'])
})

test('a notification of a later version is ignored', async () => {
  await using a = attack()
  a.send({ method: '$/later', params: { x: 1 } })
  a.send(request(1, 'test.echo', { input: { text: 'still here' } }))
  await eventually(() => expect(a.answers()).toEqual([{ frame: 0, jsonrpc: '2.0', id: 1, result: 'still here' }]))
})

test('a flood of requests is answered with wire.overloaded beyond the limit', async () => {
  const release = Promise.withResolvers<void>()
  await using a = attack({ limits: { maxPending: 10 }, release: release.promise })
  for (let id = 1; id <= 1000; id++) a.send(request(id, 'test.deaf'))
  await eventually(() => expect(a.answers().length).toBe(990))
  for (const { error } of a.answers())
    expect((error as { data: object }).data).toMatchObject({ code: 'wire.overloaded', retryable: true })
  // Cancelling does not get round it: the handlers are still at work.
  for (let id = 1; id <= 10; id++) a.send({ method: '$/cancel', params: { id } })
  a.send(request(2000, 'test.deaf'))
  await eventually(() => expect(a.answers().at(-1)).toMatchObject({ id: 2000, error: { data: { code: 'wire.overloaded' } } }))
  release.resolve()
  await turns()
  a.send(request(2001, 'test.echo'))
  await eventually(() => expect(a.answers().at(-1)).toMatchObject({ id: 2001, result: '' }))
})

test('this side does not ask more at once than the limit', async () => {
  await using a = attack({ limits: { maxPending: 5 } })
  const calls = Array.from({ length: 6 }, () => a.peer.call(number, {}).catch((error: unknown) => error))
  expect(await calls[5]).toMatchObject({ code: 'wire.overloaded' })
  expect(a.peer.pendingCalls).toBe(5)
})

test('one that floods requests and reads nothing is closed, with bounded memory', async () => {
  const [hostile, channel] = memoryChannels()
  const peer = createPeer(channel, { offers: offers(), principal: viewer, limits: { maxPending: 10 } })
  const numbering = createNumbering()
  let most = 0
  for (let id = 1; id <= 100_000; id++) {
    hostile.send(frameOf(numbering, request(id, 'test.deaf')))
    if (id % 1000 === 0) await turn()
    most = Math.max(most, channel.bufferedBytes)
  }
  expect(await peer.closed).toMatchObject({ code: 'wire.protocol' })
  expect(most).toBeLessThan(5 * 1024 * 1024)
})

test('answers wait for one that reads slowly instead of piling up', async () => {
  const [hostile, channel] = memoryChannels()
  const peer = createPeer(channel, { offers: offers(), principal: viewer })
  const numbering = createNumbering()
  const text = 'x'.repeat(100_000)
  for (let id = 1; id <= 200; id++) hostile.send(frameOf(numbering, request(id, 'test.echo', { input: { text } })))
  await eventually(() => expect(channel.bufferedBytes).toBeGreaterThan(500_000))
  await turns()
  expect(channel.bufferedBytes).toBeLessThan(700_000)
  const got: Frame[] = []
  hostile.receive((frame) => got.push(frame))
  await eventually(() => expect(got.length).toBe(200))
  await peer[Symbol.asyncDispose]()
})

test('a stream that the other side does not read stops at the window, and its frames may be all there is', async () => {
  await using a = attack()
  a.send(request(1, 'test.blob'))
  await turns()
  const bytes = a.got.reduce((sum, frame) => sum + (frame.kind === 'binary' ? frame.bytes.byteLength : 0), 0)
  expect(bytes).toBeGreaterThan(window / 2)
  expect(bytes).toBeLessThanOrEqual(window)
})

test('an upload beyond its credit closes the connection', async () => {
  await using a = attack()
  a.send(request(1, 'test.take'))
  for (let n = 0; n < 8; n++) a.send(encodeFrame(frameType.data, sentBy.caller, 1, Buffer.alloc(10_000)))
  expect(await a.peer.closed).toMatchObject({ code: 'wire.protocol' })
})

test('a stream beyond its credit closes the connection', async () => {
  await using a = attack()
  const reading = a.peer.bytes(blob, {})[Symbol.asyncIterator]()
  for (let n = 0; n < 8; n++) a.send(encodeFrame(frameType.data, sentBy.callee, 1, Buffer.alloc(10_000)))
  expect(await a.peer.closed).toMatchObject({ code: 'wire.protocol' })
  await reading.return?.()
})

test.each([
  ['an empty piece', encodeFrame(frameType.data, sentBy.caller, 1)],
  ['an item where bytes belong', encodeItem(sentBy.caller, 1, '1')],
  ['a credit for an upload', encodeCredit(sentBy.caller, 1, 5)],
  ['a reset without an error', encodeFrame(frameType.reset, sentBy.caller, 1, Buffer.from('{}'))],
])('%s in an upload closes the connection', async (_, frame) => {
  await using a = attack()
  a.send(request(1, 'test.take'))
  a.send(frame)
  expect(await a.peer.closed).toMatchObject({ code: 'wire.protocol' })
})

test('more uploads at once than the limit are answered with wire.overloaded', async () => {
  await using a = attack({ limits: { maxUploads: 2 } })
  for (let id = 1; id <= 3; id++) a.send(request(id, 'test.take'))
  await eventually(() => expect(a.answers()).toMatchObject([{ id: 3, error: { data: { code: 'wire.overloaded' } } }]))
})

test('an answer too large to be said is answered as that', async () => {
  await using a = attack({ limits: { maxFrame: 64 * 1024 } })
  await expect(a.peer.call(echo, { text: 'x'.repeat(70_000) })).rejects.toMatchObject({ code: 'wire.too_large' })
  expect(a.peer.pendingCalls).toBe(0)
  a.send(request(1, 'test.echo', { input: { text: '\u0001'.repeat(20_000) } }))
  await eventually(() => expect(a.peer.pendingCalls).toBe(0))
})

test('progress and failures of a source that no frame can hold end no connection', async () => {
  await using a = attack({ limits: { maxFrame: 64 * 1024 } })
  a.send(request(1, 'test.chatty'))
  await eventually(() => expect(a.answers()).toMatchObject([{ id: 1, result: null }]))
  const next = () => Promise.reject(new Error('y'.repeat(70_000)))
  await expect(a.peer.upload(take, {}, { [Symbol.asyncIterator]: () => ({ next }) })).rejects.toMatchObject({ code: 'internal' })
  expect(a.got.every((frame) => frame.kind === 'text' && frame.text.length < 64 * 1024)).toBe(true)
})

test("a caller's callback that throws fails its call, not the connection", async () => {
  await using a = attack()
  const call = a.peer.call(
    number,
    {},
    {
      onProgress: () => {
        throw new TypeError('mine')
      },
    },
  )
  a.send({ method: '$/progress', params: { id: 1, value: 1 } })
  await expect(call).rejects.toMatchObject({ code: 'internal' })
  const next = a.peer.call(number, {})
  a.send({ id: 2, result: 1 })
  expect(await next).toBe(1)
})

test('random frames never do more than close the connection', async () => {
  const valid = fc.constantFrom(
    request(1, 'test.echo'),
    request(2, 'test.blob'),
    request(3, 'test.take'),
    request(4, 'test.wait'),
    { id: 1, result: 3 },
    { method: '$/cancel', params: { id: 2 } },
    { method: '$/ping' },
    { method: '$/progress', params: { id: 1, value: 0 } },
    encodeFrame(frameType.data, sentBy.caller, 3, Buffer.alloc(5)),
    encodeFrame(frameType.end, sentBy.callee, 1),
    encodeCredit(sentBy.caller, 2, 100),
    encodeItem(sentBy.callee, 2, '1'),
    encodeFrame(frameType.end, sentBy.caller, 3),
  )
  const random = fc.oneof(
    { weight: 6, arbitrary: valid },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 4, maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('id', 'method', 'params', 'result', 'error'), fc.jsonValue()) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(random, { maxLength: 20 }), async (frames) => {
      const a = attack()
      const calls = [a.peer.call(number, {}), Array.fromAsync(a.peer.items(numbers, {}))].map((call) =>
        (call as Promise<unknown>).catch((error: unknown) => error),
      )
      for (const frame of frames) a.send(frame)
      await turns()
      await a.peer[Symbol.asyncDispose]()
      await Promise.all(calls)
      expect(a.peer.pendingCalls).toBe(0)
      expect(typeof (await a.peer.closed).code).toBe('string')
    }),
    { numRuns: 500 },
  )
})

test.each(channelKinds)('a late close of an old connection over %s is only its own', async (kind) => {
  await using first = await openPair(kind)
  await using second = await openPair(kind)
  const old = createPeer(first.left, { offers: new Map(), principal: viewer })
  const next = createPeer(second.left, { offers: new Map(), principal: viewer })
  const other = createPeer(second.right, { offers: offers(), principal: viewer })
  let nextClosed = false
  void next.closed.then(() => {
    nextClosed = true
  })
  await old[Symbol.asyncDispose]()
  await old.closed
  expect(await next.call(echo, { text: 'still here' })).toBe('still here')
  expect(nextClosed).toBe(false)
  await next[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})
