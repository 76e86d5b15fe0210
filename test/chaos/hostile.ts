// A peer under attack: it offers one operation of each kind, and the test is its other side, with raw frames.

import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import type { MusterError } from '../../src/contract/errors.ts'
import { type Implementation, implement, implementation, type Principal } from '../../src/contract/implementation.ts'
import { operation } from '../../src/contract/operation.ts'
import type { Channel, Frame } from '../../src/wire/channel.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import type { Limits } from '../../src/wire/limits.ts'
import { createNumbering, type Numbering } from '../../src/wire/numbering.ts'
import { createPeer, type Peer } from '../../src/wire/peer.ts'

const shared = { summary: '', errors: [], scope: 'read', deferrable: false, http: 'GET /test' } as const
const input = z.strictObject({})

export const echo = operation({
  ...shared,
  kind: 'call',
  name: 'test.echo',
  input: z.strictObject({ text: z.string().default('') }),
  output: z.string(),
})
/** Takes any JSON and gives it back, however deep it is. */
export const mirror = operation({
  ...shared,
  kind: 'call',
  name: 'test.mirror',
  input: z.strictObject({ value: z.unknown() }),
  output: z.unknown(),
})
export const wait = operation({ ...shared, kind: 'call', name: 'test.wait', input, output: z.null() })
export const number = operation({ ...shared, kind: 'call', name: 'test.number', input, output: z.number() })
export const numbers = operation({ ...shared, kind: 'items', name: 'test.numbers', input, output: z.number() })
export const blob = operation({ ...shared, kind: 'bytes', name: 'test.blob', input, output: z.unknown() })
/** Takes the body and reads none of it. */
export const hoard = operation({ ...shared, kind: 'upload', name: 'test.hoard', input, output: z.null() })
export const drink = operation({ ...shared, kind: 'upload', name: 'test.drink', input, output: z.number() })

const untilCancelled = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

const offers: Implementation = implementation(
  implement(echo, async ({ text }) => text),
  implement(mirror, async ({ value }) => value),
  implement(wait, (_, { signal }) => untilCancelled(signal)),
  implement(number, async () => 1),
  implement(numbers, async function* () {
    for (let n = 0; ; n++) yield n
  }),
  implement(blob, async function* () {
    for (;;) yield Buffer.alloc(10_000)
  }),
  implement(hoard, (_, { signal }) => untilCancelled(signal)),
  implement(drink, async (_input, _context, body) => {
    let bytes = 0
    for await (const piece of body) bytes += piece.byteLength
    return bytes
  }),
)

const stranger: Principal = { kind: 'node', id: 'stranger', role: 'viewer', scopes: new Set(['read']) }

export interface Attacked extends AsyncDisposable {
  readonly peer: Peer
  /** The attacker's end. */
  readonly hostile: Channel
  /** The peer's own end, to see what it has queued. */
  readonly channel: Channel
  readonly numbering: Numbering
  /** Sends a frame as it should be, all but what it says: an object is a message, a buffer a stream frame. */
  send(message: object | Buffer): void
  /** Asks something and sees that it is answered: the peer still lives. Resolves to why not, if it has ended. */
  stillAnswers(): Promise<MusterError | undefined>
}

/** Resolves when whatever is under way in memory has arrived and been answered. */
export async function settled(turns = 20): Promise<void> {
  for (let n = 0; n < turns; n++) await turn()
}

function frameOf(numbering: Numbering, message: object | Buffer): Frame {
  return Buffer.isBuffer(message)
    ? { kind: 'binary', bytes: numbering.stamp(message) }
    : { kind: 'text', text: numbering.stamp(JSON.stringify({ jsonrpc: '2.0', ...message })) }
}

export function request(id: number, { name }: { name: string }, params: object = {}): object {
  return { id, method: name, params }
}

/** `got` is told of every frame that the peer sends. */
export function attackPeer({
  limits = {},
  got = () => {},
}: {
  limits?: Partial<Limits>
  got?: (frame: Frame) => void
} = {}): Attacked {
  const [hostile, channel] = memoryChannels()
  return attackOver(hostile, channel, { limits, got })
}

/** The same over any joined channels; `got` undefined never reads. */
export function attackOver(
  hostile: Channel,
  channel: Channel,
  { limits, got }: { limits: Partial<Limits>; got: ((frame: Frame) => void) | undefined },
): Attacked {
  const peer = createPeer(channel, { offers, principal: stranger, limits, name: 'stranger' })
  const numbering = createNumbering()
  let lastId = 0x8000_0000
  const answered = new Map<number, () => void>()
  if (got)
    hostile.receive((frame) => {
      got(frame)
      const id = frame.kind === 'text' && answered.size > 0 ? (JSON.parse(frame.text) as { id?: number }).id : undefined
      if (id !== undefined) answered.get(id)?.()
    })

  function send(message: object | Buffer): void {
    hostile.send(frameOf(numbering, message))
  }

  return {
    peer,
    hostile,
    channel,
    numbering,
    send,
    async stillAnswers() {
      const id = ++lastId
      const answer = new Promise<undefined>((resolve) => answered.set(id, () => resolve(undefined)))
      send(request(id, echo))
      const outcome = await Promise.race([answer, peer.closed])
      answered.delete(id)
      return outcome
    },
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]()
      hostile.close(await peer.closed)
    },
  }
}
