// Passes the caller's standard input on to a run. Each piece is sent with its offset and acknowledged before the next, so that
// a piece whose answer was lost is sent again without harm, and a command that reads slowly slows the pipe that feeds it.

import type { Readable } from 'node:stream'
import type { Caller } from '../../contract/caller.ts'
import { hasCode } from '../../contract/errors.ts'
import { writeStdin } from '../../contract/run.ts'
import { resuming } from '../resume.ts'
import type { Terminal } from '../terminal.ts'

const pieceBytes = 1024 * 1024

/** Resolves when standard input has ended or the run takes no more of it. */
export async function passStdin(terminal: Terminal, host: Caller, run: string, signal: AbortSignal): Promise<void> {
  const send = (offset: number, piece: Uint8Array, end: boolean) =>
    resuming(
      terminal,
      async () => {
        await host.upload(writeStdin, { run, offset, end }, once(piece), { signal })
      },
      signal,
    )
  let offset = 0
  try {
    for await (const piece of pieces(terminal.stdin, signal)) {
      await send(offset, piece, false)
      offset += piece.length
    }
    if (!signal.aborted) await send(offset, new Uint8Array(), true)
  } catch (error) {
    // The command ended, or closed its input, before reading all of it: what is left is nobody's, as with a pipe.
    const unread = hasCode(error, 'run.ended') || hasCode(error, 'run.stdin_closed')
    if (!unread && !signal.aborted) throw error
  }
}

/** What has come since the last piece, up to a bound: few requests for a fast pipe, no delay for a slow one. */
async function* pieces(stdin: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let waiting: Buffer[] = []
  let ended = false
  let failed: Error | undefined
  let changed = Promise.withResolvers<void>()
  const take = (chunk: Buffer) => {
    waiting.push(chunk)
    if (sizeOf(waiting) >= pieceBytes) stdin.pause()
    changed.resolve()
  }
  const end = () => {
    ended = true
    changed.resolve()
  }
  const fail = (error: Error) => {
    failed = error
    changed.resolve()
  }
  stdin.on('data', take).once('end', end).once('close', end).once('error', fail)
  signal.addEventListener('abort', end, { once: true })
  try {
    for (;;) {
      if (waiting.length === 0 && !ended && !failed) await changed.promise
      if (signal.aborted) return
      if (failed) throw failed
      changed = Promise.withResolvers()
      const piece = Buffer.concat(waiting)
      waiting = []
      if (piece.length > 0) yield piece
      else if (ended) return
      stdin.resume()
    }
  } finally {
    stdin.off('data', take).off('end', end).off('close', end).off('error', fail)
    stdin.pause()
    signal.removeEventListener('abort', end)
  }
}

function sizeOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

async function* once(piece: Uint8Array): AsyncGenerator<Uint8Array> {
  if (piece.length > 0) yield piece
}
