// Pairing: a machine and a hub that know nothing of each other come to the same six digits, which a person compares.
//
//   node                                 hub
//   $/pair {commitment}            ──▶
//                                  ◀──  {commitment}
//   $/reveal {opening, signature}  ──▶                                  the hub checks both, and gives the machine a place among those that wait
//                                  ◀──  {opening, signature, expiresInMs}   the node checks both, and shows the digits
//   $/wait {}                      ──▶
//                                  ◀──  welcome, or why not              a person has decided
//
// Neither shows its nonce before the other is committed to its own, and the hub shows its own only to one that takes a place: each
// try of who stands between costs one of those. Used by the node's `join` and the hub's door; it knows no code that was typed, and no host.

import { z } from 'zod'
import { failure, type MusterError } from '../contract/errors.ts'
import type { Channel } from './channel.ts'
import type { TakeTurn } from './handshake.ts'
import { agreeVersion } from './hello.ts'
import type { Identity } from './identity.ts'
import { startKeepalive } from './keepalive.ts'
import { defaultLimits } from './limits.ts'
import { encodeRequest, encodeResult, pingMessage, pongMessage } from './messages.ts'
import {
  Commitment,
  codeOf,
  commitmentTo,
  HubOpening,
  makeOpening,
  NodeOpening,
  pairingProofBytes,
  parseOpening,
  requireCommitted,
  type Wishes,
} from './opening.ts'
import { requireProof, Signature, signed } from './proof.ts'
import { paramsOf, parsePart, resultOf, type Talk, talkOver } from './talk.ts'

interface PairingSide {
  readonly identity: Identity
  /** Software version, for people. */
  readonly software: string
  /** For all that comes before the waiting; then `call.deadline`. */
  readonly timeoutMs: number
}

export interface NodeSide extends PairingSide {
  readonly wishes: Wishes
  /** Both keys are proven and neither is trusted: these are the digits to compare, for so long. */
  readonly onCode: (shown: { code: string; expiresInMs: number }) => void
}

/** One that asks to be let in, with its key proven. */
export interface Asking extends Wishes {
  readonly key: string
  readonly software: string
  readonly code: string
}

/** Its place among those that wait. */
export interface Place {
  readonly expiresInMs: number
  /** The welcome, once a person has approved it; rejects when that will not be. */
  readonly decided: Promise<unknown>
  /** It waits no more, however that came. May be called twice. */
  leave(): void
}

export interface HubSide extends PairingSide {
  /** For what a stranger makes this side do; see the handshake. */
  readonly takeTurn?: TakeTurn
  /** Throws when there is no place left. */
  readonly enter: (asking: Asking) => Place
}

const pairId = 1
const revealId = 2
const waitId = 3
const Commit = z.object({ commitment: Commitment })
/** More than any opening that `NodeOpening` lets through. */
const Opening = z.string().max(32 * 1024)
const Reveal = z.object({ opening: Opening, signature: Signature })
const Revealed = Reveal.extend({ expiresInMs: z.int().positive().max(3_600_000) })
/** The hub decides when the time is over; this side gives up a little later. */
const graceMs = 10_000

/** The machine's part. Resolves with the hub's key, which a person has found to be the right one, and its welcome. */
export async function dialPairing(channel: Channel, side: NodeSide): Promise<{ hubKey: string; welcome: unknown }> {
  return pair(channel, side, async (talk) => {
    const { identity } = side
    const ours = makeOpening({ role: 'node', key: identity.publicKey, software: side.software, ...side.wishes })
    const commitment = commitmentTo('node', ours)
    talk.send(encodeRequest(pairId, '$/pair', { commitment }))
    const committed = parsePart(Commit, resultOf(await talk.next(), pairId))

    const both = { node: commitment, hub: committed.commitment }
    talk.send(
      encodeRequest(revealId, '$/reveal', { opening: ours, signature: signed(identity, pairingProofBytes('node', both)) }),
    )
    const { opening, signature, expiresInMs } = parsePart(Revealed, resultOf(await talk.next(), revealId))
    requireCommitted('hub', opening, both.hub)
    const hub = parseOpening(HubOpening, opening)
    agreeVersion('node', hub.protocol)
    requireProof(hub.key, pairingProofBytes('hub', both), signature)

    talk.allow(expiresInMs + graceMs)
    side.onCode({ code: codeOf({ node: ours, hub: opening }), expiresInMs })
    talk.send(encodeRequest(waitId, '$/wait', {}))
    const welcome = await heed(channel, talk, (message) => resultOf(message, waitId))
    return { hubKey: hub.key, welcome }
  })
}

/** The hub's part. Resolves once the machine has been told that it is let in; the channel is then of no more use. */
export async function acceptPairing(channel: Channel, side: HubSide): Promise<void> {
  const { identity, takeTurn = (work) => work() } = side
  return pair(channel, side, async (talk) => {
    const { commitment } = parsePart(Commit, paramsOf(await talk.next(), pairId, '$/pair'))
    const ours = makeOpening({ role: 'hub', key: identity.publicKey, software: side.software })
    const both = { node: commitment, hub: commitmentTo('hub', ours) }
    talk.send(encodeResult(pairId, { commitment: both.hub }))

    const { opening, signature } = parsePart(Reveal, paramsOf(await talk.next(), revealId, '$/reveal'))
    const { place, proof } = await takeTurn(async () => {
      // Who gave up while he waited is nobody any more.
      talk.requireOpen()
      requireCommitted('node', opening, both.node)
      const node = parseOpening(NodeOpening, opening)
      agreeVersion('hub', node.protocol)
      requireProof(node.key, pairingProofBytes('node', both), signature)
      const { key, software, name, platform, arch, asks } = node
      const code = codeOf({ node: opening, hub: ours })
      const place = side.enter({ key, software, name, platform, arch, asks, code })
      return { place, proof: signed(identity, pairingProofBytes('hub', both)) }
    })
    try {
      const { expiresInMs } = place
      talk.send(encodeResult(revealId, { opening: ours, signature: proof, expiresInMs }))
      paramsOf(await talk.next(), waitId, '$/wait')
      // The place ends by itself before this does.
      talk.allow(expiresInMs + 2 * graceMs)
      const welcome = await Promise.race([place.decided, heed(channel, talk, refuse)])
      talk.send(encodeResult(waitId, welcome))
    } finally {
      place.leave()
    }
  })
}

function pair<T>(channel: Channel, { timeoutMs }: PairingSide, talkThrough: (talk: Talk) => Promise<T>): Promise<T> {
  return talkOver(channel, { what: 'the pairing', timeoutMs }, talkThrough)
}

type Message = Awaited<ReturnType<Talk['next']>>

/** While a person decides: pings are answered, silence ends it, and anything else is `on`'s. */
async function heed<T>(channel: Channel, talk: Talk, on: (message: Message) => T): Promise<T> {
  const dead = Promise.withResolvers<never>()
  const keepalive = startKeepalive({
    limits: defaultLimits,
    ping: () => talk.send(pingMessage),
    writes: {
      takenBytes: 0,
      get bufferedBytes() {
        return channel.bufferedBytes
      },
    },
    onDead: (problem) => dead.reject(failure('wire.closed', { reason: problem })),
  })
  try {
    for (;;) {
      const message = await Promise.race([talk.next(), dead.promise])
      keepalive.heard()
      if (message.type === 'ping') talk.send(pongMessage)
      else if (message.type !== 'pong') return on(message)
    }
  } finally {
    keepalive.stop()
  }
}

/** Who waits has nothing to say but that it gives up. */
function refuse(message: Message): never {
  const reason: MusterError =
    message.type === 'close' ? message.reason : failure('wire.protocol', { problem: 'something else than waiting' })
  throw reason
}
