// A relay on loopback TCP between whoever dials and a hub, whose line a test can break in every way that a line breaks: cut, refused,
// silent, slow, far away, flapping. It never looks into the bytes; doubling-proxy.ts repeats whole messages.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Which way bytes go: from who dialled to the target, or back. */
export type Way = 'out' | 'back'

export interface LineProxy extends AsyncDisposable {
  readonly url: string
  /** How many connections have been made through it. */
  readonly connections: number
  /** How many of them are there now, on either side. */
  readonly open: number
  /** Resets every connection. */
  cut(): void
  /** Resets every connection, and each new one at once, until `mend`. */
  refuse(): void
  /**
   * Half-open: connections stay, and what is sent these ways vanishes, the end of a connection included. New ones fare alike until
   * `mend`; one that has lost bytes stays silent for good, as behind a router that has forgotten it.
   */
  swallow(ways?: readonly Way[]): void
  mend(): void
}

export interface Line {
  /** Where it listens. Default: this machine alone. */
  readonly address?: string
  /** Each connection is cut once so many bytes have come back through it. */
  readonly cutAfterBytes?: number
  /** On each way; the jitter is added at random, and the order stays. */
  readonly latencyMs?: number
  readonly jitterMs?: number
  /** On each way, for all connections together. */
  readonly bytesPerSecond?: number
  /** What is under way of each connection; who sends more waits, as for a router whose queue is full. Default: 512 KiB. */
  readonly underWayBytes?: number
  readonly random?: () => number
}

interface Pair {
  readonly sockets: Readonly<Record<Way, Socket>>
  readonly silent: Set<Way>
}

export async function openProxy(target: string, line: Line = {}): Promise<LineProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<Pair>()
  const lanes = { out: makeLane(line), back: makeLane(line) }
  const swallowed = new Set<Way>()
  let refusing = false
  let connections = 0

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (refusing) return void client.resetAndDestroy()
    connections++
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true, noDelay: true })
    const pair: Pair = { sockets: { out: client, back: upstream }, silent: new Set(swallowed) }
    pairs.add(pair)
    for (const [way, from, to] of [
      ['out', client, upstream],
      ['back', upstream, client],
    ] as const) {
      const isSilent = () => pair.silent.has(way)
      from.once('close', () => to.closed && pairs.delete(pair))
      // A reset goes on as a reset.
      from.on('error', () => isSilent() || to.resetAndDestroy())
      void relay(from, to, {
        isSilent,
        lane: lanes[way],
        cutAfterBytes: way === 'back' ? line.cutAfterBytes : undefined,
        mostUnderWay: line.underWayBytes,
      })
    }
  })
  const { address = '127.0.0.1' } = line
  server.listen(0, address)
  await once(server, 'listening')

  const cut = () => {
    for (const { sockets } of pairs) for (const socket of Object.values(sockets)) socket.resetAndDestroy()
  }
  const refuse = () => {
    refusing = true
    cut()
  }
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections
    },
    get open() {
      return pairs.size
    },
    cut,
    refuse,
    swallow(ways = ['out', 'back']) {
      for (const way of ways) {
        swallowed.add(way)
        for (const { silent } of pairs) silent.add(way)
      }
    },
    mend() {
      refusing = false
      swallowed.clear()
    },
    async [Symbol.asyncDispose]() {
      refuse()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Cuts and mends at random moments for a while; the line is whole afterwards. Resolves with how often it was cut. */
export async function flap(
  proxy: LineProxy,
  { random, atLeastMs, atMostMs, forMs }: { random: () => number; atLeastMs: number; atMostMs: number; forMs: number },
): Promise<number> {
  const end = performance.now() + forMs
  const aWhile = () => sleep(atLeastMs + random() * (atMostMs - atLeastMs))
  let cuts = 0
  while (performance.now() < end) {
    await aWhile()
    proxy.refuse()
    cuts++
    await aWhile()
    proxy.mend()
  }
  return cuts
}

/** One way of the line: when a piece that leaves now arrives. */
interface Lane {
  readonly pieceBytes: number
  arrivalOf(bytes: number): number
}

function makeLane({ latencyMs = 0, jitterMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY, random = Math.random }: Line): Lane {
  let free = 0
  let last = 0
  return {
    // A slow line trickles.
    pieceBytes: Math.max(1, Math.floor(bytesPerSecond / 64)),
    arrivalOf(bytes) {
      free = Math.max(free, performance.now()) + (bytes / bytesPerSecond) * 1000
      last = Math.max(last, free + latencyMs + jitterMs * random())
      return last
    },
  }
}

interface Relayed {
  readonly isSilent: () => boolean
  readonly lane: Lane
  readonly cutAfterBytes: number | undefined
  readonly mostUnderWay: number | undefined
}

/** Carries one way of one connection to its end. */
async function relay(
  from: Socket,
  to: Socket,
  { isSilent, lane, cutAfterBytes = Number.POSITIVE_INFINITY, mostUnderWay = 512 * 1024 }: Relayed,
): Promise<void> {
  let passed = 0
  let underWay = 0
  let arrived = Promise.resolve()

  async function send(piece: Buffer, arrivalMs: number, before: Promise<void>): Promise<void> {
    underWay += piece.length
    const waitMs = arrivalMs - performance.now()
    if (waitMs >= 1) await sleep(waitMs)
    await before
    if (!isSilent()) await new Promise<void>((resolve) => to.write(piece, () => resolve()))
    underWay -= piece.length
  }

  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      for (const piece of piecesOf(chunk as Buffer, Math.min(lane.pieceBytes, cutAfterBytes - passed))) {
        passed += piece.length
        arrived = send(piece, lane.arrivalOf(piece.length), arrived)
        while (underWay > mostUnderWay) await arrived
        if (passed < cutAfterBytes) continue
        await arrived
        from.destroy()
        to.destroy()
        return
      }
    }
    await arrived
    if (!isSilent()) to.end()
  } catch {
    // It broke off here; a reset has been passed on as one.
    if (!isSilent()) to.destroy()
  }
}

function* piecesOf(chunk: Buffer, pieceBytes: number): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes)
}
