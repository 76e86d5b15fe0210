// Calls that are in flight when their link breaks: each ends with its typed error, within 100 ms of the channel's end or at its own
// deadline, whichever comes first, and nothing stays behind. Measured in the process that asks, over a real WebSocket.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import type { Caller, CallOptions } from '../../src/contract/caller.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { followEvents, followJournal } from '../../src/contract/event.ts'
import { enrollNode, getHostInfo } from '../../src/contract/host.ts'
import { type CallContext, implement, implementation, type Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { readOutput } from '../../src/contract/output.ts'
import { writeStdin } from '../../src/contract/run.ts'
import type { Channel } from '../../src/wire/channel.ts'
import { dialWebSocket, webSocketChannel } from '../../src/wire/channels/websocket.ts'
import { dialHandshake } from '../../src/wire/handshake.ts'
import { temporaryIdentity } from '../../src/wire/identity.ts'
import type { Limits } from '../../src/wire/limits.ts'
import { createPeer } from '../../src/wire/peer.ts'
import { openTestHub } from '../hub/hub-fixture.ts'
import { until } from '../resources/muster.ts'
import { type LineProxy, openProxy, type Way } from '../resources/proxy.ts'
import { report } from './trials.ts'

const promisedMs = 100
/** A process that itself stood still for longer measures itself and not the calls: then, and only then, it is tried again. */
const mostStandstillMs = 400
const triedAgain = { retry: { count: 5, condition: /the process itself stood still/ } }
const operator: Principal = { kind: 'user', id: 'test', role: 'operator', scopes: new Set(scopes) }

interface Link extends AsyncDisposable {
  readonly proxy: LineProxy
  /** The side that dialled, through the proxy. */
  readonly dialled: Channel
  readonly accepted: Channel
}

async function openLink(): Promise<Link> {
  await using opened = new AsyncDisposableStack()
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  opened.defer(() => new Promise((resolve) => server.close(() => resolve())))
  await once(server, 'listening')
  const accepted = Promise.withResolvers<Channel>()
  server.once('connection', (webSocket, { socket }) => accepted.resolve(webSocketChannel(webSocket, socket)))
  const proxy = opened.use(await openProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  const dialled = await dialWebSocket(proxy.url.replace('http', 'ws'), { timeoutMs: 30_000 })
  const closing = opened.move()
  return { proxy, dialled, accepted: await accepted.promise, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

/** A host that answers nothing that it is asked; `held` counts what it has not been told to leave. */
function muteHost() {
  let held = 0
  const never = async ({ signal }: CallContext): Promise<never> => {
    held++
    await once(signal, 'abort')
    held--
    throw signal.reason
  }
  async function* nothing(context: CallContext): AsyncGenerator<never> {
    yield await never(context)
  }
  const offers = implementation(
    implement(getHostInfo, (_input, context) => never(context)),
    implement(writeStdin, (_input, context) => never(context)),
    implement(followEvents, (_input, context) => nothing(context)),
    implement(followJournal, (_input, context) => nothing(context)),
    implement(readOutput, (_input, context) => nothing(context)),
  )
  return {
    offers,
    get held() {
      return held
    },
  }
}

/** A call of each kind in turn. */
function ask(caller: Caller, nth: number, options?: CallOptions): Promise<unknown> {
  const run = 'run_01HZZZZZZZZZZZZZZZZZZZZZZZ'
  const firstOf = (stream: AsyncIterable<unknown>) => stream[Symbol.asyncIterator]().next()
  switch (nth % 8) {
    case 0:
      return firstOf(caller.items(followEvents, { run }, options))
    case 1:
      return firstOf(caller.bytes(readOutput, { run }, options))
    case 2:
      return caller.upload(writeStdin, { run }, oneByte(), options)
    default:
      return caller.call(getHostInfo, {}, options)
  }
}

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x')
}

interface Ending {
  readonly code: string
  readonly at: number
}

function endingOf(call: Promise<unknown>): Promise<Ending> {
  return call.then(
    () => ({ code: 'answered', at: performance.now() }),
    (error) => ({ code: asMusterError(error).code, at: performance.now() }),
  )
}

function endOf(channel: Channel): Promise<number> {
  return channel.closed.then(() => performance.now())
}

/** The longest that this process itself stood still meanwhile: no call can end sooner than its process gets to it. */
function watchStandstill(): { readonly longestMs: () => number } & Disposable {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  return { longestMs: () => delays.max / 1e6, [Symbol.dispose]: () => void delays.disable() }
}

function expectMoving(standstill: { readonly longestMs: () => number }): void {
  expect(standstill.longestMs(), 'the process itself stood still').toBeLessThan(mostStandstillMs)
}

const figure = (ms: number) => `${ms.toFixed(1)} ms`

it('1,000 calls in flight when the link is cut all end typed within 100 ms of its end', triedAgain, async () => {
  await using link = await openLink()
  const host = muteHost()
  await using answering = createPeer(link.accepted, { offers: host.offers, principal: operator })
  await using asking = createPeer(link.dialled, { offers: new Map(), principal: operator })
  const calls = Array.from({ length: 1_000 }, (_, nth) => endingOf(ask(asking, nth)))
  await until('all have arrived', async () => (host.held === 1_000 ? true : undefined))
  expect(asking.pendingCalls).toBe(1_000)

  using standstill = watchStandstill()
  const ended = endOf(link.dialled)
  const cutAt = performance.now()
  link.proxy.cut()
  const endings = await Promise.all(calls)
  const endedAt = await ended
  const lastMs = Math.max(...endings.map(({ at }) => at)) - endedAt
  report(
    `cut with 1,000 calls in flight: the channel ended ${figure(endedAt - cutAt)} after the cut, the last call ${figure(lastMs)} after the ` +
      `channel; longest standstill of the process ${figure(standstill.longestMs())}`,
  )
  expect([...new Set(endings.map(({ code }) => code))]).toEqual(['wire.closed'])
  expectMoving(standstill)
  expect(lastMs).toBeLessThan(promisedMs + standstill.longestMs())
  expect(asking.pendingCalls).toBe(0)
  await until('the other side has left them all', async () => (host.held === 0 ? true : undefined))
  expect(answering.pendingCalls).toBe(0)
})

it.each<[string, Way[]]>([
  ['both ways', ['out', 'back']],
  ['towards the host', ['out']],
  ['towards the asker', ['back']],
])('a link that swallows %s: calls end at their deadline, the others with the channel', triedAgain, async (_name, ways) => {
  const limits: Partial<Limits> = { keepaliveMs: 500, deadMs: 1_500 }
  await using link = await openLink()
  const host = muteHost()
  await using _answering = createPeer(link.accepted, { offers: host.offers, principal: operator, limits })
  await using asking = createPeer(link.dialled, { offers: new Map(), principal: operator, limits })
  const before = Array.from({ length: 200 }, (_, nth) => endingOf(ask(asking, nth)))
  await until('all have arrived', async () => (host.held === 200 ? true : undefined))

  using standstill = watchStandstill()
  const ends = Promise.all([endOf(link.dialled), endOf(link.accepted)])
  link.proxy.swallow(ways)
  const swallowedAt = performance.now()
  const deadlines = Array.from({ length: 200 }, (_, nth) => 100 + nth * 5)
  const bounded = deadlines.map((timeoutMs, nth) => endingOf(ask(asking, nth, { timeoutMs })))
  const [endedAt, otherEndedAt] = await ends
  const unbounded = await Promise.all(before)
  const atDeadline = await Promise.all(bounded)

  const lateMs = Math.max(...atDeadline.map(({ at }, nth) => at - swallowedAt - (deadlines[nth] as number)))
  const lastMs = Math.max(...unbounded.map(({ at }) => at)) - endedAt
  report(
    `swallowed ${ways.join(' and ')}: ended after ${figure(endedAt - swallowedAt)} here and ${figure(otherEndedAt - swallowedAt)} there; ` +
      `200 deadlines met at most ${figure(lateMs)} late, 200 calls without one ended ${figure(lastMs)} after the channel; ` +
      `longest standstill of the process ${figure(standstill.longestMs())}`,
  )
  expect([...new Set(atDeadline.map(({ code }) => code))]).toEqual(['call.deadline'])
  expect([...new Set(unbounded.map(({ code }) => code))]).toEqual(['wire.closed'])
  expectMoving(standstill)
  expect(lateMs).toBeLessThan(promisedMs + standstill.longestMs())
  expect(lastMs).toBeLessThan(promisedMs + standstill.longestMs())
  expect(asking.pendingCalls).toBe(0)
  await until('the other side has left them all', async () => (host.held === 0 ? true : undefined))
})

it('what is asked of a host through its hub ends so too', triedAgain, async () => {
  await using hub = await openTestHub()
  const { token } = await hub.caller.call(enrollNode, { name: 'mute' })
  await using link = await openLink()
  const admitted = hub.acceptTunnel(link.accepted)
  const { limits } = await dialHandshake(link.dialled, {
    identity: temporaryIdentity(),
    role: 'node',
    software: '0.0.0-test',
    timeoutMs: 30_000,
    credential: token,
  })
  await admitted
  const host = muteHost()
  await using _node = createPeer(link.dialled, { offers: host.offers, principal: operator, limits })
  const caller = await hub.host('mute')
  const hubsOwn = 2
  await until("the hub's own questions have arrived", async () => (host.held === hubsOwn ? true : undefined))
  const calls = Array.from({ length: 1_000 }, () => endingOf(caller.call(getHostInfo, {})))
  await until('all have arrived', async () => (host.held >= 1_000 ? true : undefined))

  link.proxy.swallow()
  using standstill = watchStandstill()
  const askedAt = performance.now()
  const bounded = await endingOf(caller.call(getHostInfo, {}, { timeoutMs: 1_000 }))
  const lateMs = bounded.at - askedAt - 1_000
  const ended = endOf(link.accepted)
  link.accepted.close(asMusterError(new Error('the link has ended')))
  const endings = await Promise.all(calls)
  const lastMs = Math.max(...endings.map(({ at }) => at)) - (await ended)
  report(
    `through a hub: a deadline of 1,000 ms on a silent link met ${figure(lateMs)} late; 1,000 calls ended ${figure(lastMs)} after the ` +
      `channel; longest standstill of the process ${figure(standstill.longestMs())}`,
  )
  expect(bounded.code).toBe('call.deadline')
  expectMoving(standstill)
  expect(lateMs).toBeLessThan(promisedMs + standstill.longestMs())
  expect([...new Set(endings.map(({ code }) => code))]).toEqual(['wire.closed'])
  expect(lastMs).toBeLessThan(promisedMs + standstill.longestMs())
})
