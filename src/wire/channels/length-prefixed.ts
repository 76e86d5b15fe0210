// Frames over a byte stream: u32 length of the rest (big-endian), u8 kind (1 text, 2 binary), payload.
// Used by the unix and stdio channels; it knows nothing of what is in a frame.

import { isUtf8 } from 'node:buffer'
import { finished, type Readable, type Writable } from 'node:stream'
import { asMusterError, failure, type MusterError } from '../../contract/errors.ts'
import type { Channel, Frame } from '../channel.ts'
import { defaultLimits } from '../limits.ts'
import { createInbox } from './inbox.ts'

const headBytes = 5
const textKind = 1
const binaryKind = 2

/** The five bytes before a payload. */
export function encodeHead(kind: Frame['kind'], payloadBytes: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes)
  head.writeUInt32BE(payloadBytes + 1, 0)
  head[4] = kind === 'text' ? textKind : binaryKind
  return head
}

/**
 * Cuts a byte stream into frames, whatever pieces it comes in. Throws `wire.protocol` for a kind, a length or a text that is none;
 * a length above `maxFrame` is refused before any of its bytes are kept.
 */
export function frameSplitter(maxFrame: number, deliver: (frame: Frame) => void): (piece: Buffer) => void {
  const head = Buffer.allocUnsafe(headBytes)
  let headFilled = 0
  let payload: Buffer | undefined
  let filled = 0

  function readHead(): number {
    const length = head.readUInt32BE(0) - 1
    if (length < 0) throw failure('wire.protocol', { problem: 'a frame without a kind' })
    if (length > maxFrame) throw failure('wire.too_large', { bytes: length, limit: maxFrame })
    if (head[4] !== textKind && head[4] !== binaryKind)
      throw failure('wire.protocol', { problem: `there is no frame of kind ${head[4]}` })
    return length
  }

  function finish(bytes: Buffer): void {
    headFilled = 0
    payload = undefined
    deliver(head[4] === textKind ? { kind: 'text', text: decodeText(bytes) } : { kind: 'binary', bytes })
  }

  return (piece) => {
    let at = 0
    while (at < piece.length) {
      if (headFilled < headBytes) {
        const taken = piece.copy(head, headFilled, at, Math.min(piece.length, at + headBytes - headFilled))
        headFilled += taken
        at += taken
        if (headFilled < headBytes) return
        const length = readHead()
        if (piece.length - at >= length) {
          // Whole in this piece: no copy.
          const whole = piece.subarray(at, at + length)
          at += length
          finish(whole)
          continue
        }
        payload = Buffer.allocUnsafe(length)
        filled = 0
      }
      const target = payload as Buffer
      const taken = piece.copy(target, filled, at)
      filled += taken
      at += taken
      if (filled === target.length) finish(target)
    }
  }
}

function decodeText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw failure('wire.protocol', { problem: 'a text frame that is not UTF-8' })
  return bytes.toString('utf8')
}

/** How long the other side may take to read what is still queued when the channel closes. */
const closeGraceMs = 1_000

export interface FrameBound {
  /** The largest frame that is read, in bytes; larger ones close the channel before they are buffered. Default: the wire's own. */
  readonly maxFrame?: number
}

/** A channel over two byte streams (or one that goes both ways). */
export function lengthPrefixedChannel(
  input: Readable,
  output: Writable,
  { maxFrame = defaultLimits.maxFrame }: FrameBound = {},
): Channel {
  const ended = Promise.withResolvers<MusterError>()
  let open = true
  let drains: (() => void)[] = []

  const inbox = createInbox((on) => {
    if (on) input.resume()
    else if (open) input.pause()
  })
  const split = frameSplitter(maxFrame, (frame) => {
    if (open) inbox.deliver(frame)
  })

  function end(reason: MusterError): void {
    open = false
    ended.resolve(reason)
    release()
  }

  function release(): void {
    const waiting = drains
    drains = []
    for (const resolve of waiting) resolve()
  }

  function close(reason: MusterError): void {
    if (!open) return
    end(reason)
    // Read on to nowhere, so that the end of the other side is seen.
    input.resume()
    const timer = setTimeout(cutBoth, closeGraceMs)
    timer.unref()
    output.end()
    output.once('finish', () => {
      clearTimeout(timer)
      cutBoth()
    })
  }

  function cutBoth(): void {
    input.destroy()
    output.destroy()
  }

  function broke(error: Error | null | undefined): void {
    if (open) end(failure('wire.closed', { reason: error?.message ?? 'the other side closed it' }, { cause: error ?? undefined }))
    cutBoth()
  }

  input.on('data', (piece: Buffer) => {
    if (!open) return
    try {
      split(piece)
    } catch (error) {
      close(asMusterError(error))
    }
  })
  input.pause()
  output.on('drain', release)
  finished(input, { writable: false }, broke)
  if ((output as unknown) !== input) finished(output, { readable: false }, broke)

  return {
    send(frame) {
      if (!open) return
      const payload = frame.kind === 'text' ? Buffer.from(frame.text) : frame.bytes
      output.cork()
      output.write(encodeHead(frame.kind, payload.byteLength))
      output.write(payload)
      // Corked until the end of the tick, so that small frames sent together leave together.
      process.nextTick(uncork, output)
    },
    get bufferedBytes() {
      return output.writableLength
    },
    drained() {
      if (!open || !output.writableNeedDrain) return Promise.resolve()
      return new Promise((resolve) => drains.push(resolve))
    },
    receive: inbox.receive,
    close,
    closed: ended.promise,
  }
}

function uncork(output: Writable): void {
  output.uncork()
}
