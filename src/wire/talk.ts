// One message at a time over a channel that has no peer yet: what the handshake and the pairing are spoken with.
// A side that refuses tells the other why, then closes. What a message means is not known here.

import type { z } from 'zod'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import type { Channel, Frame } from './channel.ts'
import { encodeClose, encodeError, type Message, parseMessage, parseObject } from './messages.ts'

export interface Talk {
  send(text: string): void
  /** What follows it stays in the channel, for the next `next` or for the peer. */
  next(): Promise<Message>
  /** Throws why it is over, if it is. */
  requireOpen(): void
  /** From now on the talk may take so long. */
  allow(ms: number): void
}

/** `what` is the talk's name in `call.deadline`. Rejects, with the channel closed, when either side refuses or the time is over. */
export async function talkOver<T>(
  channel: Channel,
  { what, timeoutMs }: { what: string; timeoutMs: number },
  talkThrough: (talk: Talk) => Promise<T>,
): Promise<T> {
  const broken = Promise.withResolvers<never>()
  let over: MusterError | undefined
  // It may break when nobody waits for a message: the next wait then tells.
  broken.promise.catch((reason) => {
    over = reason
  })
  void channel.closed.then(broken.reject)
  const endAfter = (ms: number) => setTimeout(() => broken.reject(failure('call.deadline', { operation: what, ms })), ms)
  let timer = endAfter(timeoutMs)
  /** The request that waits for this side's answer: a refusal is that answer. */
  let answering: number | undefined

  async function next(): Promise<Message> {
    const frame = await Promise.race([oneFrame(channel), broken.promise])
    const message = parseMessage(parseObject(textOf(frame)))
    answering = message.type === 'request' ? message.id : undefined
    return message
  }

  const talk: Talk = {
    send(text) {
      answering = undefined
      channel.send({ kind: 'text', text })
    },
    next,
    requireOpen() {
      if (over) throw over
    },
    allow(ms) {
      clearTimeout(timer)
      timer = endAfter(ms)
    },
  }
  try {
    return await Promise.race([talkThrough(talk), broken.promise])
  } catch (thrown) {
    const error = asMusterError(thrown)
    channel.send({ kind: 'text', text: answering === undefined ? encodeClose(error) : encodeError(answering, error) })
    channel.close(error)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Takes one frame and leaves the rest where they are. */
function oneFrame(channel: Channel): Promise<Frame> {
  return new Promise((resolve) =>
    channel.receive((frame) => {
      channel.receive(undefined)
      resolve(frame)
    }),
  )
}

function textOf(frame: Frame): string {
  if (frame.kind === 'text') return frame.text
  throw failure('wire.protocol', { problem: 'a binary frame in the handshake' })
}

/** `error`: what a refusal is taken as. */
export function resultOf(
  message: Message,
  id: number,
  error: (error: MusterError) => MusterError = (refused) => refused,
): unknown {
  if (message.type === 'error' && message.id === id) throw error(message.error)
  if (message.type === 'close') throw error(message.reason)
  if (message.type === 'result' && message.id === id) return message.result
  throw failure('wire.protocol', { problem: "something else than the handshake's answer" })
}

export function paramsOf(message: Message, id: number, method: string): unknown {
  if (message.type === 'close') throw message.reason
  if (message.type === 'request' && message.method === method && message.id === id) return message.params
  throw failure('wire.protocol', { problem: `something else than ${method}` })
}

export function parsePart<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw failure('wire.protocol', { problem: 'a message of the handshake that is none' }, { cause: parsed.error })
}
