// One process's standard input, written by byte offset: a repeat is skipped, a gap is refused.
// Back-pressure goes all the way: a process that does not read stops the upload, and no more than the pipe's own buffer is held.

import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { failure } from '../../contract/errors.ts'

export interface Stdin {
  /** Answers the bytes written in all. Throws `run.stdin_gap`, or `run.stdin_closed` when the process or we closed it. */
  write(part: StdinPart, body: AsyncIterable<Uint8Array>): Promise<number>
}

export interface StdinPart {
  readonly run: string
  readonly offset: number
  /** Close it after these bytes. */
  readonly end: boolean
  /** Aborted when the writer has gone: then it must not keep its turn while the process does not read. */
  readonly signal: AbortSignal
}

export function openStdin(pipe: Writable): Stdin {
  let written = 0
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()
  const gone = new AbortController()
  // EPIPE and its kind: the process has closed its end, which is its right.
  pipe.on('error', () => gone.abort())
  pipe.on('close', () => gone.abort())

  async function put({ run, signal }: StdinPart, bytes: Uint8Array): Promise<void> {
    // Before the write too: a writer that left did not wait for its own bytes, and each that comes would add more.
    await room({ run, signal })
    if (gone.signal.aborted) throw failure('run.stdin_closed', { run })
    written += bytes.length
    pipe.write(bytes)
    await room({ run, signal })
  }

  async function room({ run, signal }: Pick<StdinPart, 'run' | 'signal'>): Promise<void> {
    if (!pipe.writableNeedDrain) return
    await once(pipe, 'drain', { signal: AbortSignal.any([gone.signal, signal]) }).catch(() => {
      throw signal.aborted ? failure('call.cancelled') : failure('run.stdin_closed', { run })
    })
  }

  async function take(part: StdinPart, body: AsyncIterable<Uint8Array>): Promise<number> {
    const { run, offset, end } = part
    let position = offset
    if (position > written) throw failure('run.stdin_gap', { expected: written, offset: position })
    for await (const bytes of body) {
      const known = Math.min(Math.max(written - position, 0), bytes.length)
      position += bytes.length
      if (known === bytes.length) continue
      if (closed) throw failure('run.stdin_closed', { run })
      await put(part, bytes.subarray(known))
    }
    // An end further back than what was written is the repeat of an earlier part, not the end of all.
    if (end && position === written && !closed) {
      closed = true
      pipe.end()
    }
    return written
  }

  return {
    /** Writers take turns, so that two uploads cannot interleave. */
    write(part, body) {
      const mine = turn.then(() => take(part, body))
      turn = mine.catch(() => {})
      return mine
    },
  }
}
