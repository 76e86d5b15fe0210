// A million frames that no honest side would send, against live peers: each is ignored, answered, or ends that connection with a typed
// error; nothing hangs, nothing stays behind, and memory does not grow.

import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type MusterError } from '../../src/contract/errors.ts'
import type { Channel } from '../../src/wire/channel.ts'
import { encodeHead } from '../../src/wire/channels/length-prefixed.ts'
import { stdioChannel } from '../../src/wire/channels/stdio.ts'
import { createNumbering } from '../../src/wire/numbering.ts'
import { makeHome, musterJson, serveHub } from '../resources/muster.ts'
import { type Mischief, mischief } from './frames.ts'
import { type Attacked, attackOver, attackPeer, blob, drink, number, numbers } from './hostile.ts'
import { dialTunnel, enrolFalseNode } from './joined.ts'
import { forgetPeak, measureHeap, mib, peakMiB, residentMiB } from './memory.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const window = 64 * 1024
const limits = { window }
const hungAfterMs = 60_000

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => void process.off('unhandledRejection', note))

interface Tally {
  frames: number
  sessions: number
  closed: Record<string, number>
  ignored: number
}

/** One connection, until it ends or has taken enough; and what must be true of it then. */
async function session(attacked: Attacked, random: () => number, send: (one: Mischief) => void, tally: Tally): Promise<void> {
  const { peer, numbering } = attacked
  let ended: MusterError | undefined
  void peer.closed.then((reason) => {
    ended = reason
  })
  const calls = ownCalls(attacked, random)
  // Mild ones get further before they are thrown out.
  const rough = [0.01, 0.1, 0.8][Math.floor(random() * 3)] as number
  let mustEnd = false
  let frames = 0
  while (!ended && !mustEnd && frames < 100) {
    const burst = 1 + Math.floor(random() * 6)
    for (let n = 0; n < burst && !mustEnd; n++) {
      const one = mischief(random, numbering, rough)
      mustEnd = one.mustEnd
      send(one)
      frames++
    }
    await turn()
  }
  tally.frames += frames
  tally.sessions++
  const reason = mustEnd && !ended ? await inTime(peer.closed) : (ended ?? (await inTime(attacked.stillAnswers())))
  if (reason) {
    // An error that nobody has thought of would be `internal`.
    expect(reason.code).not.toBe('internal')
    count(tally, reason.code)
  }
  tally.ignored += frames - (reason ? 1 : 0)
  await inTime(Promise.resolve(attacked[Symbol.asyncDispose]()))
  await inTime(Promise.all(calls))
  expect(peer.pendingCalls).toBe(0)
}

/** A `$/close` among the frames may give any code as its reason. */
function count({ closed }: Tally, code: string): void {
  const name = code.startsWith('wire.') ? code : '$/close'
  closed[name] = (closed[name] ?? 0) + 1
}

/** What the peer itself asks, so that answers and streams come to somebody. */
function ownCalls({ peer }: Attacked, random: () => number): Promise<unknown>[] {
  const endless = async function* () {
    for (;;) yield Buffer.alloc(10_000)
  }
  const calls = [
    () => peer.call(number, {}),
    () => Array.fromAsync(peer.items(numbers, {})),
    () => Array.fromAsync(peer.bytes(blob, {})),
    () => peer.upload(drink, {}, endless()),
  ]
  return calls.filter(() => random() < 0.7).map((call) => (call() as Promise<unknown>).catch((error: unknown) => error))
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), hungAfterMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function tell(what: string, { frames, sessions, closed, ignored }: Tally, grown: number, startedAt: number): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  const codes = Object.entries(closed).map(([code, count]) => `${count} ${code}`)
  report(
    `fuzz ${what}: ${frames} frames over ${sessions} connections in ${seconds} s, seed ${seed}: ` +
      `${ignored} ignored or answered, closed by ${codes.join(', ')}; memory grew by ${mib(grown)}`,
  )
}

test('frames that are no frames never do more than end their connection', async () => {
  const full = trials(1_000_000, 50_000)
  const random = seededRandom()
  const tally: Tally = { frames: 0, sessions: 0, closed: {}, ignored: 0 }
  // What the first thousand leave behind is code and shapes.
  while (tally.frames < 5_000) {
    const attacked = attackPeer({ limits })
    await session(attacked, random, ({ frame }) => attacked.hostile.send(frame), tally)
  }
  const startedAt = performance.now()
  const grown = measureHeap()
  while (tally.frames < full) {
    const attacked = attackPeer({ limits })
    await session(attacked, random, ({ frame }) => attacked.hostile.send(frame), tally)
  }
  const most = grown()
  tell('in memory', tally, most, startedAt)
  expect(most).toBeLessThan(10)
  expect(unhandled).toEqual([])
})

test('bytes that are no frames never do more than end their connection', async () => {
  const full = trials(50_000, 5_000)
  const random = seededRandom(seed + 1)
  const tally: Tally = { frames: 0, sessions: 0, closed: {}, ignored: 0 }
  const startedAt = performance.now()
  const grown = measureHeap()
  while (tally.frames < full) {
    const [there, back] = [new PassThrough(), new PassThrough()]
    const attacked = attackOver(stdioChannel({ input: back, output: there }), stdioChannel({ input: there, output: back }), {
      limits,
      got: () => {},
    })
    await session(attacked, random, (one) => writeInPieces(there, one, random), tally)
  }
  const most = grown()
  tell('over byte streams', tally, most, startedAt)
  expect(most).toBeLessThan(10)
  expect(unhandled).toEqual([])
})

/** As the carrier's own frames, in pieces of any sizes; text may be no UTF-8 here. */
function writeInPieces(to: PassThrough, { frame, bytes }: Mischief, random: () => number): void {
  const payload = bytes ?? (frame.kind === 'text' ? Buffer.from(frame.text) : frame.bytes)
  const whole = Buffer.concat([encodeHead(frame.kind, payload.byteLength), payload])
  for (let at = 0; at < whole.length; ) {
    const size = random() < 0.8 ? whole.length : 1 + Math.floor(random() * 200)
    to.write(whole.subarray(at, at + size))
    at += size
  }
}

test('a real hub outlives a node that sends it anything', { timeout: 300_000 }, async () => {
  const full = trials(20_000, 2_000)
  const random = seededRandom(seed + 2)
  const tally: Tally = { frames: 0, sessions: 0, closed: {}, ignored: 0 }
  await using home = await makeHome()
  await using hub = await serveHub(home)
  const node = await enrolFalseNode(hub, 'second')
  const startedAt = performance.now()
  await forgetPeak(hub.pid)
  const before = await residentMiB(hub.pid)
  while (tally.frames < full) {
    // Now and then somebody who has proven nothing.
    const channel = await (random() < 0.2 ? dialTunnel(hub) : node.dial())
    await anything(channel, random, tally)
  }
  const grown = (await peakMiB(hub.pid)) - before
  tell('at a real hub, at its peak', tally, grown, startedAt)
  expect((await fetch(`${hub.url}/healthz`)).status).toBe(200)
  const { hosts } = await musterJson<{ hosts: { name: string; status: string }[] }>(home.path, ['host', 'list'])
  expect(hosts.find(({ name }) => name === 'second')?.status).toBe('offline')
  expect(grown).toBeLessThan(100)
})

async function anything(channel: Channel, random: () => number, tally: Tally): Promise<void> {
  const numbering = createNumbering()
  const rough = [0.02, 0.2][Math.floor(random() * 2)] as number
  let ended: MusterError | undefined
  const closed = channel.closed.then((reason) => {
    ended = reason
    return reason
  })
  channel.receive(() => {})
  let mustEnd = false
  let frames = 0
  while (!ended && !mustEnd && frames < 100) {
    const one = mischief(random, numbering, rough)
    mustEnd = one.mustEnd
    channel.send(one.frame)
    frames++
    await channel.drained()
    if (random() < 0.2) await turn()
  }
  tally.frames += frames
  tally.sessions++
  tally.ignored += frames - (mustEnd || ended ? 1 : 0)
  if (!mustEnd && !ended) channel.close(failure('wire.closed', { reason: 'it has had enough' }))
  const { message } = await inTime(closed)
  const code = /wire\.[a-z_]+/.exec(message)?.[0] ?? 'wire.closed'
  count(tally, code)
}
