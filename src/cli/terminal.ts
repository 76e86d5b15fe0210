// The three streams as commands use them: stdout for data, stderr for talk, stdin for input. Commands get one handed in
// and never touch `process` themselves, so that tests can look on.

import type { Readable, Writable } from 'node:stream'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import { OutputClosed } from './leaving.ts'

/**
 * Takes data and resolves once the reader has: a slow reader slows the writer. Rejects with `OutputClosed` when the reader is gone,
 * with `file.unwritable` when what is behind it takes no more.
 */
export type Sink = (data: string | Uint8Array) => Promise<void>

export interface Terminal {
  /** The command line as it was given, without node and script. */
  readonly argv: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly out: Sink
  readonly err: Sink
  /** A line for people, on stderr. Not waited for: `flushed` is, once, at the end. */
  say(line: string): void
  flushed(): Promise<void>
  /** stdout is a screen. */
  readonly screen: boolean
  /** stderr is a screen: who reads it can tell our words from what a run wrote. */
  readonly errScreen: boolean
  readonly color: boolean
  readonly columns: number
  readonly rows: number
}

export function processTerminal(argv: readonly string[]): Terminal {
  const { stdout, stderr, stdin, env } = process
  const err = sinkOf(stderr, 'standard error')
  let said: Promise<void> = Promise.resolve()
  return {
    argv,
    env,
    cwd: process.cwd(),
    get stdin() {
      return stdin
    },
    out: sinkOf(stdout, 'standard output'),
    err,
    say(line) {
      const taken = err(`${line}\n`)
      // A stderr that is gone takes no sentence, and there is nowhere else to say so.
      said = Promise.allSettled([said, taken]).then(() => undefined)
    },
    flushed: () => said,
    screen: stdout.isTTY === true,
    errScreen: stderr.isTTY === true,
    color: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
    get columns() {
      // Some terminals say 0 before they know.
      return stdout.columns || 80
    },
    get rows() {
      return stdout.rows || 24
    },
  }
}

function sinkOf(stream: Writable, file: string): Sink {
  // The failure of a write is reported to that write; without a listener the stream would throw it a second time.
  stream.on('error', () => undefined)
  return (data) =>
    new Promise((resolve, reject) => {
      stream.write(data, (error) => {
        if (!error) resolve()
        else if (isClosed(error)) reject(new OutputClosed())
        else reject(failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error }))
      })
    })
}

function isClosed(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED'
}
