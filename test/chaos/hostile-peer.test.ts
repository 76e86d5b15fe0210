// What a peer does to one that breaks every rule: reads nothing, answers nothing, answers twice, floods, overdraws. Each time: a typed
// error or nothing at all, bounded memory (the figure is printed), and no call that stays behind.

import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import type { Frame } from '../../src/wire/channel.ts'
import { encodeHead } from '../../src/wire/channels/length-prefixed.ts'
import { stdioChannel } from '../../src/wire/channels/stdio.ts'
import { encodeCredit, encodeFrame, encodeItem, frameType, sentBy } from '../../src/wire/frame.ts'
import { openPair } from '../../src/wire/pairs.fixture.ts'
import { makeHome, type ServedHub, serveHub, until } from '../resources/muster.ts'
import {
  type Attacked,
  attackOver,
  attackPeer,
  blob,
  drink,
  echo,
  hoard,
  number,
  numbers,
  request,
  settled,
  wait,
} from './hostile.ts'
import { enrolFalseNode, knock, openFiles, upgradeRequest } from './joined.ts'
import { measureHeap, mib, residentMiB } from './memory.ts'
import { report } from './trials.ts'

const mebi = 1024 * 1024
const window = 512 * 1024
const deadline = 60_000

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

/** Ends the connection and checks that nothing stays behind; prints what it cost while it lasted. */
async function over(what: string, attacked: Attacked, grown: number, most: number): Promise<void> {
  await attacked[Symbol.asyncDispose]()
  expect(attacked.peer.pendingCalls).toBe(0)
  report(`hostile: ${what}: ${mib(Math.max(0, grown))} held, ended by ${(await attacked.peer.closed).code}`)
  expect(grown).toBeLessThan(most)
}

const outcomes = (calls: readonly Promise<unknown>[]) => Promise.all(calls.map((call) => call.catch((error: unknown) => error)))

function callsOfEachKind({ peer }: Attacked, options: { timeoutMs?: number } = {}): Promise<unknown>[] {
  const body = async function* () {
    for (;;) yield Buffer.alloc(100_000)
  }
  return [
    peer.call(number, {}, options),
    Array.fromAsync(peer.items(numbers, {}, options)),
    Array.fromAsync(peer.bytes(blob, {}, options)),
    peer.upload(drink, {}, body(), options),
  ]
}

test.each(['memory', 'stdio', 'unix', 'websocket'] as const)(
  'a frame over the limit ends it over %s',
  { timeout: deadline },
  async (kind) => {
    await using pair = await openPair(kind)
    const attacked = attackOver(pair.left, pair.right, { limits: { window }, got: () => {} })
    const calls = outcomes(callsOfEachKind(attacked))
    const grown = measureHeap()
    const larger: Frame = { kind: 'binary', bytes: Buffer.alloc(mebi + 1) }
    pair.left.send(larger)
    expect(['wire.too_large', 'wire.protocol']).toContain((await attacked.peer.closed).code)
    for (const error of await calls) expect(error).toMatchObject({ code: 'wire.closed' })
    await over(`a frame over the limit over ${kind}`, attacked, grown(), 8)
  },
)

test('a frame that never comes whole is silence, and costs no more than a frame', { timeout: deadline }, async () => {
  const [there, back] = [new PassThrough(), new PassThrough()]
  const attacked = attackOver(stdioChannel({ input: back, output: there }), stdioChannel({ input: there, output: back }), {
    limits: { keepaliveMs: 200, deadMs: 1_000 },
    got: () => {},
  })
  const grown = measureHeap()
  const calls = outcomes(callsOfEachKind(attacked))
  there.write(encodeHead('binary', mebi))
  let trickled = 0
  const trickling = setInterval(() => {
    there.write(Buffer.alloc(10))
    trickled++
  }, 20)
  await until('some of it has come', async () => (trickled >= 20 ? true : undefined))
  const during = grown()
  const reason = await attacked.peer.closed
  clearInterval(trickling)
  expect(reason).toMatchObject({ code: 'wire.closed', message: expect.stringContaining('sent nothing') as string })
  for (const error of await calls) expect(error).toMatchObject({ code: 'wire.closed' })
  await over('a frame that never comes whole', attacked, during, 4)
})

test.each(['memory', 'unix', 'websocket'] as const)(
  'one that reads nothing is left after deadMs over %s',
  { timeout: deadline },
  async (kind) => {
    await using pair = await openPair(kind)
    const attacked = attackOver(pair.left, pair.right, { limits: { window, keepaliveMs: 300, deadMs: 1_500 }, got: undefined })
    const grown = measureHeap()
    for (let id = 1; id <= 200; id++) {
      attacked.send(request(id, id % 2 === 0 ? blob : numbers))
      attacked.send(request(1000 + id, echo, { input: { text: 'x'.repeat(20_000) } }))
    }
    const calls = outcomes(callsOfEachKind(attacked))
    let queued = 0
    let last = 0
    let unchanged = 0
    const looking = setInterval(() => {
      const now = attacked.channel.bufferedBytes
      unchanged = now > 0 && now === last ? unchanged + 1 : 0
      last = now
      queued = Math.max(queued, now)
    }, 10)
    // It goes on talking, so that it is not taken for silent.
    const talking = setInterval(() => attacked.send({ method: '$/pong' }), 100)
    await until('as much is queued for it as ever will be', async () => (unchanged >= 20 ? true : undefined))
    const during = grown()
    const reason = await attacked.peer.closed
    clearInterval(looking)
    clearInterval(talking)
    expect(reason).toMatchObject({ code: 'wire.closed', message: expect.stringContaining('read nothing') as string })
    for (const error of await calls) expect(error).toMatchObject({ code: 'wire.closed' })
    expect(queued).toBeLessThan(2 * mebi)
    report(`hostile: a reader of nothing over ${kind}: at most ${mib(queued / mebi)} queued for it`)
    await over(`a reader of nothing over ${kind}`, attacked, during, 24)
  },
)

test('one that never answers is given up at the deadline', { timeout: deadline }, async () => {
  const attacked = attackPeer()
  const grown = measureHeap()
  const startedAt = performance.now()
  const calls = Array.from({ length: 250 }, () => callsOfEachKind(attacked, { timeoutMs: 500 })).flat()
  for (const error of await outcomes(calls)) expect(error).toMatchObject({ code: 'call.deadline' })
  expect(performance.now() - startedAt).toBeLessThan(30_000)
  expect(attacked.peer.pendingCalls).toBe(0)
  await over('one that never answers 1000 calls', attacked, grown(), 40)
})

test('answers that come twice, late, or to nothing change nothing', { timeout: deadline }, async () => {
  const attacked = attackPeer()
  const grown = measureHeap()
  const { peer, send } = attacked
  for (let n = 1; n <= 20_000; n++) {
    const call = peer.call(number, {})
    send({ id: n, result: n })
    send({ id: n, result: -1 })
    send({ id: 0xffff_0000 + (n % 1000), result: n })
    send({ method: '$/progress', params: { id: n, value: 1 } })
    send(encodeItem(sentBy.callee, n, '1'))
    send(encodeFrame(frameType.end, sentBy.callee, n + 1_000_000))
    if (n % 100 === 0) expect(await call).toBe(n)
    else void call
  }
  await settled()
  expect(peer.pendingCalls).toBe(0)
  expect(await attacked.stillAnswers()).toBeUndefined()
  await over('100,000 answers that nobody asked for', attacked, grown(), 8)
})

test('a flood of requests is refused beyond the limit, and what is within it still ends', { timeout: deadline }, async () => {
  const codes: Record<string, number> = {}
  const attacked = attackPeer({
    got(frame) {
      const code = frame.kind === 'text' && /"code":"([a-z_.]+)"/.exec(frame.text)?.[1]
      if (code) codes[code] = (codes[code] ?? 0) + 1
    },
  })
  const grown = measureHeap()
  for (let id = 1; id <= 100_000; id++) {
    attacked.send(request(id, wait))
    if (id % 1000 === 0) await settled(1)
  }
  await settled()
  expect(codes).toEqual({ 'wire.overloaded': 100_000 - 4096 })
  for (let id = 1; id <= 4096; id++) attacked.send({ method: '$/cancel', params: { id } })
  await settled()
  expect(codes['call.cancelled']).toBe(4096)
  expect(await attacked.stillAnswers()).toBeUndefined()
  await over('100,000 requests at once', attacked, grown(), 32)
})

test.each([
  ['requests', (n: number) => request(n, wait)],
  ['pings', () => ({ method: '$/ping' })],
  ['refused requests', (n: number) => request(n, { name: 'no.such' })],
] as [string, (n: number) => object][])(
  'a flood of %s by one that reads nothing ends it',
  { timeout: deadline },
  async (what, message) => {
    const pair = await openPair('memory')
    const attacked = attackOver(pair.left, pair.right, { limits: { window }, got: undefined })
    const grown = measureHeap()
    let ended = false
    void attacked.peer.closed.then(() => {
      ended = true
    })
    let most = 0
    for (let n = 1; n <= 400_000 && !ended; n++) {
      attacked.send(message(n))
      if (n % 500 === 0) await settled(1)
      most = Math.max(most, attacked.channel.bufferedBytes)
    }
    expect(await attacked.peer.closed).toMatchObject({ code: 'wire.protocol' })
    expect(most).toBeLessThan(5 * mebi)
    await over(`a flood of ${what}, unread`, attacked, grown(), 32)
  },
)

test.each([
  ['absurd credit', encodeCredit(sentBy.caller, 1, 0xffff_ffff), blob],
  ['credit for an upload', encodeCredit(sentBy.caller, 1, 5), hoard],
  ['data without credit', encodeFrame(frameType.data, sentBy.caller, 1, Buffer.alloc(window)), hoard],
  ['a downward frame upwards', encodeItem(sentBy.caller, 1, '1'), numbers],
] as const)('%s ends the connection', { timeout: deadline }, async (what, frame, operation) => {
  const attacked = attackPeer()
  const grown = measureHeap()
  for (let id = 2; id <= 200; id++) attacked.send(request(id, blob))
  attacked.send(request(1, operation))
  const calls = outcomes(callsOfEachKind(attacked))
  await settled(2)
  attacked.send(frame)
  expect(await attacked.peer.closed).toMatchObject({ code: 'wire.protocol' })
  for (const error of await calls) expect(error).toMatchObject({ code: 'wire.closed' })
  await over(what, attacked, grown(), 16)
})

test('frames of streams that are not there are ignored', { timeout: deadline }, async () => {
  const attacked = attackPeer()
  const grown = measureHeap()
  for (let n = 1; n <= 100_000; n++) {
    const id = 1 + ((n * 7919) % 0xffff_0000)
    const from = n % 2 === 0 ? sentBy.caller : sentBy.callee
    attacked.send(
      [encodeCredit(from, id, 0xffff_ffff), encodeFrame(frameType.data, from, id, Buffer.alloc(100)), encodeItem(from, id, '1')][
        n % 3
      ] as Buffer,
    )
    if (n % 1000 === 0) await settled(1)
  }
  expect(await attacked.stillAnswers()).toBeUndefined()
  await over('100,000 frames of no stream', attacked, grown(), 8)
})

test('uploads that are never read cost a window each, and no more of them than the limit', { timeout: deadline }, async () => {
  const attacked = attackPeer({ limits: { window: 64 * 1024 } })
  const grown = measureHeap()
  for (let id = 1; id <= 1000; id++) {
    attacked.send(request(id, hoard))
    for (let piece = 0; piece < 5; piece++) attacked.send(encodeFrame(frameType.data, sentBy.caller, id, Buffer.alloc(12_000)))
    if (id % 20 === 0) await settled(1)
  }
  expect(await attacked.stillAnswers()).toBeUndefined()
  await over('1000 uploads of a window each', attacked, grown(), 256 / 16 + 8)
})

const doorTimeoutMs = 60_000

test("strangers at a hub's door keep nobody out and are gone in time, whatever they leave half said", {
  timeout: 180_000,
}, async () => {
  await using home = await makeHome()
  await using hub = await serveHub(home)
  const node = await enrolFalseNode(hub, 'second')
  const before = { memory: await residentMiB(hub.pid), files: await openFiles(hub.pid) }
  const startedAt = performance.now()
  const strangers = await Promise.all(
    Array.from({ length: 400 }, async (_, n) => {
      const socket = await knock(hub)
      const said = says[n % says.length] as (hub: ServedHub) => string | Buffer
      socket.write(said(hub))
      return watchStranger(socket)
    }),
  )
  const trickling = setInterval(() => {
    for (const { socket } of strangers) if (socket.writable) socket.write('x')
  }, 1_000)
  const letIn = () => strangers.filter(({ heard }) => heard().startsWith('HTTP/1.1 101'))
  const upgrades = strangers.length - strangers.length / says.length
  await until('all that asked for it are WebSockets', async () => (letIn().length === upgrades ? true : undefined))
  const inside = letIn().filter(({ socket }) => !socket.closed).length
  expect(inside).toBeGreaterThan(0)
  // A node and whoever has a token come in as ever.
  ;(await node.dial()).close(failure('wire.closed', { reason: 'it has seen enough' }))
  expect((await fetch(`${hub.url}/healthz`)).status).toBe(200)
  const during = await residentMiB(hub.pid)

  await until(
    'every stranger is gone',
    async () => (strangers.every(({ socket }) => socket.closed) ? true : undefined),
    undefined,
    doorTimeoutMs,
  )
  clearInterval(trickling)
  const seconds = (performance.now() - startedAt) / 1000
  ;(await node.dial()).close(failure('wire.closed', { reason: 'it has seen enough' }))
  await until('the hub has let go of them', async () => ((await openFiles(hub.pid)) <= before.files + 5 ? true : undefined))
  const grown = during - before.memory
  report(
    `hostile: 400 strangers at a hub's door: ${inside} were inside at once, all gone after ${seconds.toFixed(1)} s; ` +
      `the hub grew by ${mib(grown)} with them and by ${mib((await residentMiB(hub.pid)) - before.memory)} after`,
  )
  expect(grown).toBeLessThan(64)
})

/** What each kind of stranger says before it only trickles. */
const says: readonly ((hub: ServedHub) => string | Buffer)[] = [
  // Not even its headers.
  (hub) => upgradeRequest(hub).slice(0, 60),
  upgradeRequest,
  // The head of a message of 1 MiB, which then does not come.
  (hub) =>
    Buffer.concat([Buffer.from(upgradeRequest(hub)), Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0xff, 0xff, 1, 2, 3, 4])]),
  // Bytes that are no WebSocket.
  (hub) => Buffer.concat([Buffer.from(upgradeRequest(hub)), Buffer.alloc(64, 0xff)]),
]

function watchStranger(socket: Socket): { socket: Socket; heard: () => string } {
  let heard = ''
  socket.on('data', (bytes: Buffer) => {
    if (heard.length < 100) heard += bytes.toString('latin1')
  })
  return { socket, heard: () => heard }
}
