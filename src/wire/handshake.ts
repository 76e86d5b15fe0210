// The handshake: versions and limits agreed, both keys proven, before a peer is made over the channel.
//
//   dialer                              acceptor
//   $/hello {hello}               ──▶
//                                 ◀──  {hello, signature}       the dialer checks key and signature before it says more
//   $/prove {signature, credential?} ─▶
//                                 ◀──  welcome                   the acceptor has checked signature and credential
//
// Either side that refuses tells the other why, then closes. Used by the tunnel; it knows no enrolment and no host.

import { z } from 'zod'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel, Frame } from './channel.ts'
import { agreeVersion, type Hello, makeHello, parseHello, proofBytes } from './hello.ts'
import { type Identity, verify } from './identity.ts'
import { agreeLimits, defaultLimits, type Limits } from './limits.ts'
import { encodeClose, encodeError, encodeRequest, encodeResult, type Message, parseMessage, parseObject } from './messages.ts'

export interface Side {
  readonly identity: Identity
  /** What this side is to the other: `node`, `hub`. */
  readonly role: string
  /** Software version, for people. */
  readonly software: string
  /** For the whole handshake; then `call.deadline`. */
  readonly timeoutMs: number
  readonly limits?: Partial<Limits>
}

export interface DialSide extends Side {
  /** Throws if this is not the key of whom it meant to dial. Asked before anything secret is said. */
  readonly expectKey?: (key: string) => void
  /** Sent once the acceptor has proven its key. */
  readonly credential?: string
}

/** Does the work when its turn comes; rejects when it may not even wait. */
export type TakeTurn = <T>(work: () => Promise<T>) => Promise<T>

export interface AcceptSide extends Side {
  /** For what a stranger makes this side do: sign, verify, admit. Never held while he is waited for. Without it nobody waits. */
  readonly takeTurn?: TakeTurn
  /** Decides, with the key proven, who that is; throws to refuse, and the dialer is told what. */
  readonly admit: (dialer: Dialer) => Promise<{ welcome: unknown; principal: Principal }>
}

export interface Dialer {
  readonly key: string
  readonly role: string
  readonly software: string
  readonly credential: string | undefined
}

export interface Agreed {
  readonly peerKey: string
  readonly protocol: number
  /** What a peer over this channel is made with. */
  readonly limits: Limits
  readonly software: string
}

const helloId = 1
const proveId = 2
const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'it is not 64 bytes in base64url')
const HelloParams = z.object({ hello: z.string() })
const HelloResult = z.object({ hello: z.string(), signature: Signature })
const ProveParams = z.object({ signature: Signature, credential: z.string().max(4096).optional() })

/** The dialer's part. Rejects, with the channel closed, if either side refuses; else nothing is lost of what comes after the welcome. */
export async function dialHandshake(channel: Channel, side: DialSide): Promise<Agreed & { welcome: unknown }> {
  return shakeHands(channel, side, async (talk) => {
    const limits = { ...defaultLimits, ...side.limits }
    const ours = makeHello({ ...side, key: side.identity.publicKey, limits })
    talk.send(encodeRequest(helloId, '$/hello', { hello: ours }))
    const { hello, signature } = parse(HelloResult, resultOf(await talk.next(), helloId, beforeProof))
    const theirs = parseHello(hello)
    const protocol = agreeVersion(side.role, theirs.protocol)
    requireProof(theirs.key, proofBytes('acceptor', ours, hello), signature)
    side.expectKey?.(theirs.key)

    const proof = side.identity.sign(proofBytes('dialer', ours, hello))
    talk.send(encodeRequest(proveId, '$/prove', { signature: encode(proof), credential: side.credential }))
    const welcome = resultOf(await talk.next(), proveId, (error) => error)
    return { ...agreed(theirs, protocol, limits), welcome }
  })
}

/** The acceptor's part. Rejects, with the channel closed, if either side refuses. */
export async function acceptHandshake(channel: Channel, side: AcceptSide): Promise<Agreed & { principal: Principal }> {
  const { takeTurn = (work) => work() } = side
  return shakeHands(channel, side, async (talk) => {
    const limits = { ...defaultLimits, ...side.limits }
    const { hello } = parse(HelloParams, paramsOf(await talk.next(), helloId, '$/hello'))
    const theirs = parseHello(hello)
    const protocol = agreeVersion(side.role, theirs.protocol)
    const ours = makeHello({ ...side, key: side.identity.publicKey, limits })
    const proof = await takeTurn(async () => side.identity.sign(proofBytes('acceptor', hello, ours)))
    talk.send(encodeResult(helloId, { hello: ours, signature: encode(proof) }))

    const { signature, credential } = parse(ProveParams, paramsOf(await talk.next(), proveId, '$/prove'))
    const { welcome, principal } = await takeTurn(async () => {
      // Who gave up while he waited is nobody any more.
      talk.requireOpen()
      requireProof(theirs.key, proofBytes('dialer', hello, ours), signature)
      return side.admit({ key: theirs.key, role: theirs.role, software: theirs.software, credential })
    })
    talk.send(encodeResult(proveId, welcome))
    return { ...agreed(theirs, protocol, limits), principal }
  })
}

function agreed(theirs: Hello, protocol: number, limits: Limits): Agreed {
  return { peerKey: theirs.key, protocol, limits: agreeLimits(limits, theirs.limits), software: theirs.software }
}

/** One message at a time over the channel. */
interface Talk {
  send(text: string): void
  /** What follows it stays in the channel, for the next `next` or for the peer. */
  next(): Promise<Message>
  /** Throws why it is over, if it is. */
  requireOpen(): void
}

async function shakeHands<T>(channel: Channel, { timeoutMs }: Side, talkThrough: (talk: Talk) => Promise<T>): Promise<T> {
  const broken = Promise.withResolvers<never>()
  let over: MusterError | undefined
  // It may break when nobody waits for a message: the next wait then tells.
  broken.promise.catch((reason) => {
    over = reason
  })
  void channel.closed.then(broken.reject)
  const timer = setTimeout(
    () => broken.reject(failure('call.deadline', { operation: 'the handshake', ms: timeoutMs })),
    timeoutMs,
  )
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

function resultOf(message: Message, id: number, error: (error: MusterError) => MusterError): unknown {
  if (message.type === 'error' && message.id === id) throw error(message.error)
  if (message.type === 'close') throw error(message.reason)
  if (message.type === 'result' && message.id === id) return message.result
  throw failure('wire.protocol', { problem: "something else than the handshake's answer" })
}

/** Nobody has proven anything yet: what a stranger says may end this attempt, but not decide that no other is made. */
function beforeProof(error: MusterError): MusterError {
  return error.code === 'wire.version' ? error : failure('wire.closed', { reason: error.message }, { cause: error })
}

function paramsOf(message: Message, id: number, method: string): unknown {
  if (message.type === 'close') throw message.reason
  if (message.type === 'request' && message.method === method && message.id === id) return message.params
  throw failure('wire.protocol', { problem: `something else than ${method}` })
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw failure('wire.protocol', { problem: 'a message of the handshake that is none' }, { cause: parsed.error })
}

function requireProof(key: string, bytes: Buffer, signature: string): void {
  if (verify(key, bytes, Buffer.from(signature, 'base64url'))) return
  throw failure('wire.proof', { problem: 'its signature does not fit its key and this conversation' })
}

function encode(signature: Uint8Array): string {
  return Buffer.from(signature).toString('base64url')
}
