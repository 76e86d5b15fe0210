// A channel carries whole frames both ways and nothing else. The peer above never learns which kind it is.
// WebSocket, stdio, unix socket and memory channels (channels/) are the implementations.

import type { MusterError } from '../contract/errors.ts'

/** `text` frames hold JSON; `binary` frames hold stream data (docs/protocol.md). */
export type Frame = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'binary'; readonly bytes: Uint8Array }

export type FrameHandler = (frame: Frame) => void

export interface Channel {
  /** Queues a frame for sending. After `close` it does nothing: the closing is reported once, by `closed`. */
  send(frame: Frame): void
  /** Bytes queued and not yet taken by the system: how a peer sees that its writes are stuck. */
  readonly bufferedBytes: number
  /** Resolves when the system has taken all or nearly all that is queued, or when the channel has ended. Never rejects. */
  drained(): Promise<void>
  /**
   * Sets the one receiver. Frames that came while there was none are kept and handed over first, in order;
   * meanwhile the carrier is not read further, so that no more than its buffers is ever kept. `undefined` takes the receiver away.
   */
  receive(handler: FrameHandler | undefined): void
  /** What this end of the TLS connection below exports: the same at both ends only where one connection joins them. */
  readonly tlsBinding?: string | undefined
  /** Closes; idempotent. The reason reaches the other side where the carrier can say it. */
  close(reason: MusterError): void
  /** Resolves once, with why the channel ended, whichever side ended it: at once at `close`. Never rejects. */
  readonly closed: Promise<MusterError>
}
