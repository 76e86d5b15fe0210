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
import { failure, type MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel } from './channel.ts'
import { agreeVersion, type Hello, makeHello, parseHello, proofBytes } from './hello.ts'
import type { Identity } from './identity.ts'
import { agreeLimits, defaultLimits, type Limits } from './limits.ts'
import { encodeRequest, encodeResult } from './messages.ts'
import { requireProof, Signature, signed } from './proof.ts'
import { paramsOf, parsePart, resultOf, type Talk, talkOver } from './talk.ts'

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
const HelloParams = z.object({ hello: z.string() })
const HelloResult = z.object({ hello: z.string(), signature: Signature })
const ProveParams = z.object({ signature: Signature, credential: z.string().max(4096).optional() })

/** The dialer's part. Rejects, with the channel closed, if either side refuses; else nothing is lost of what comes after the welcome. */
export async function dialHandshake(channel: Channel, side: DialSide): Promise<Agreed & { welcome: unknown }> {
  return shakeHands(channel, side, async (talk) => {
    const limits = { ...defaultLimits, ...side.limits }
    const ours = makeHello({ ...side, key: side.identity.publicKey, limits })
    talk.send(encodeRequest(helloId, '$/hello', { hello: ours }))
    const { hello, signature } = parsePart(HelloResult, resultOf(await talk.next(), helloId, beforeProof))
    const theirs = parseHello(hello)
    const protocol = agreeVersion(side.role, theirs.protocol)
    requireProof(theirs.key, proofBytes('acceptor', ours, hello), signature)
    side.expectKey?.(theirs.key)

    const proof = signed(side.identity, proofBytes('dialer', ours, hello))
    talk.send(encodeRequest(proveId, '$/prove', { signature: proof, credential: side.credential }))
    const welcome = resultOf(await talk.next(), proveId)
    return { ...agreed(theirs, protocol, limits), welcome }
  })
}

/** The acceptor's part. Rejects, with the channel closed, if either side refuses. */
export async function acceptHandshake(channel: Channel, side: AcceptSide): Promise<Agreed & { principal: Principal }> {
  const { takeTurn = (work) => work() } = side
  return shakeHands(channel, side, async (talk) => {
    const limits = { ...defaultLimits, ...side.limits }
    const { hello } = parsePart(HelloParams, paramsOf(await talk.next(), helloId, '$/hello'))
    const theirs = parseHello(hello)
    const protocol = agreeVersion(side.role, theirs.protocol)
    const ours = makeHello({ ...side, key: side.identity.publicKey, limits })
    const proof = await takeTurn(async () => signed(side.identity, proofBytes('acceptor', hello, ours)))
    talk.send(encodeResult(helloId, { hello: ours, signature: proof }))

    const { signature, credential } = parsePart(ProveParams, paramsOf(await talk.next(), proveId, '$/prove'))
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

function shakeHands<T>(channel: Channel, { timeoutMs }: Side, talkThrough: (talk: Talk) => Promise<T>): Promise<T> {
  return talkOver(channel, { what: 'the handshake', timeoutMs }, talkThrough)
}

/** Nobody has proven anything yet: what a stranger says may end this attempt, but not decide that no other is made. */
function beforeProof(error: MusterError): MusterError {
  return error.code === 'wire.version' ? error : failure('wire.closed', { reason: error.message }, { cause: error })
}
