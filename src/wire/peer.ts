// A peer: one end of a connection over any channel. It asks (asking.ts, remote-caller.ts), answers (serving.ts), and ends as a whole:
// when the channel closes, every call either way ends at once. It never learns what carries it or what an operation means.

import type { Caller } from '../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import type { Implementation, Principal } from '../contract/implementation.ts'
import { type Answer, createAsking } from './asking.ts'
import type { Channel, Frame } from './channel.ts'
import { decodeFrame, sentBy } from './frame.ts'
import { startKeepalive } from './keepalive.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { encodeClose, parseMessage, parseObject, pingMessage, pongMessage } from './messages.ts'
import { createNumbering } from './numbering.ts'
import { createOutbox } from './outbox.ts'
import { remoteCaller } from './remote-caller.ts'
import { createServing } from './serving.ts'

export interface PeerOptions {
  /** What the other side may ask here. */
  readonly offers: Implementation
  /** Who the other side is. */
  readonly principal: Principal
  /** As the handshake agreed; where there was none, the defaults. */
  readonly limits?: Partial<Limits>
  /** How errors call the other side. */
  readonly name?: string
}

export interface Peer extends Caller, AsyncDisposable {
  /** Resolves once, with why the connection ended. Never rejects. By then no call is pending. */
  readonly closed: Promise<MusterError>
  /** Ends the connection and tells the other side why. Calls in flight end with `wire.closed`. Idempotent. */
  close(reason: MusterError): void
  /** Calls of this side that wait for their answer. */
  readonly pendingCalls: number
}

export function createPeer(channel: Channel, { offers, principal, limits: given, name = 'the other side' }: PeerOptions): Peer {
  const limits: Limits = { ...defaultLimits, ...given }
  const numbering = createNumbering()
  const outbox = createOutbox(channel, numbering)
  const asking = createAsking({ outbox, limits })
  const serving = createServing({ offers, principal, limits, outbox })
  const keepalive = startKeepalive({
    limits,
    ping: () => outbox.send(pingMessage),
    writes: outbox,
    onDead: (problem) => close(failure('wire.closed', { reason: `${name}: ${problem}` })),
  })
  const closed = Promise.withResolvers<MusterError>()
  let open = true

  function take(frame: Frame): void {
    if (!open) return
    keepalive.heard()
    try {
      requireSize(frame, limits)
      if (frame.kind === 'text') takeText(frame.text)
      else takeBinary(frame.bytes)
    } catch (error) {
      close(asMusterError(error))
    }
  }

  function takeText(text: string): void {
    const object = parseObject(text)
    numbering.check(object.frame)
    const message = parseMessage(object)
    switch (message.type) {
      case 'request':
        return serving.request(message)
      case 'result':
        return asking.answer(message.id, message satisfies Answer)
      case 'error':
        return asking.answer(message.id, message satisfies Answer)
      case 'cancel':
        return serving.cancel(message.id)
      case 'progress':
        return asking.progress(message.id, message.value)
      case 'ping':
        return pong()
      case 'close': {
        end(message.reason)
        return channel.close(message.reason)
      }
      // A pong has done its work by being heard; a `$/` notification that this version does not know is one of a later version.
      case 'pong':
      case 'unknown':
        return
    }
  }

  function takeBinary(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    numbering.check(frame.number)
    if (frame.from === sentBy.callee) asking.frame(frame)
    else serving.frame(frame)
  }

  function pong(): void {
    if (outbox.overfull) throw failure('wire.protocol', { problem: 'it pings and does not read' })
    outbox.send(pongMessage)
  }

  function close(reason: MusterError): void {
    if (!open) return
    outbox.send(encodeClose(reason))
    end(reason)
    channel.close(reason)
  }

  function end(reason: MusterError): void {
    if (!open) return
    open = false
    keepalive.stop()
    outbox.end()
    const ending = asClosed(reason)
    asking.end(ending)
    serving.end(ending)
    closed.resolve(reason)
  }

  void channel.closed.then(end)
  channel.receive(take)

  return {
    ...remoteCaller({ open: asking.open, outbox, limits }),
    get pendingCalls() {
      return asking.pendingCalls
    },
    closed: closed.promise,
    close,
    async [Symbol.asyncDispose]() {
      close(failure('wire.closed', { reason: 'it was closed here' }))
      await channel.closed
    },
  }
}

/** What calls in flight end with, whatever ended the connection. */
function asClosed(reason: MusterError): MusterError {
  return reason.code === 'wire.closed' ? reason : failure('wire.closed', { reason: reason.message }, { cause: reason })
}

/** The channel's own bound may be wider than what the handshake agreed. */
function requireSize(frame: Frame, { maxFrame }: Limits): void {
  const bytes = frame.kind === 'binary' ? frame.bytes.byteLength : frame.text.length
  if (bytes > maxFrame) throw failure('wire.too_large', { bytes, limit: maxFrame })
}
