// The asking side of the contract. Whoever holds a Caller can ask a host (or a hub) anything the contract names,
// and cannot tell whether a function call, a socket or an HTTP request carries it.

import type { BytesOperation, CallOperation, InputOf, ItemsOperation, OutputOf, UploadOperation } from './operation.ts'

export interface CallOptions {
  /** Aborting it ends the call at once with `call.cancelled` and cancels it at the other side. */
  readonly signal?: AbortSignal
  /** Bounds the whole call, queueing included; then `call.deadline`. For streams it bounds only the first answer. */
  readonly timeoutMs?: number
  /** Told each progress value that the other side reports, in order. */
  readonly onProgress?: (value: unknown) => void
}

export interface Caller {
  call<O extends CallOperation>(operation: O, input: InputOf<O>, options?: CallOptions): Promise<OutputOf<O>>
  /** Leaving the loop early cancels the stream at its source. A failure is thrown from the iterator. */
  items<O extends ItemsOperation>(operation: O, input: InputOf<O>, options?: CallOptions): AsyncIterable<OutputOf<O>>
  bytes<O extends BytesOperation>(operation: O, input: InputOf<O>, options?: CallOptions): AsyncIterable<Uint8Array>
  upload<O extends UploadOperation>(
    operation: O,
    input: InputOf<O>,
    body: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<OutputOf<O>>
}
