// Ways to leave without a failure to report: the reader of our output went away, or the person pressed Ctrl-C.

import { exitCode } from '../contract/errors.ts'

export class Leaving extends Error {
  override readonly name: string = 'Leaving'
  readonly exit: number

  constructor(message: string, exit: number) {
    super(message)
    this.exit = exit
  }
}

/** Whoever read our output has gone (`| head`). 128 + SIGPIPE, as a shell would say it. */
export class OutputClosed extends Leaving {
  override readonly name = 'OutputClosed'

  constructor() {
    super('the reader of the output has gone', 141)
  }
}

export class Interrupted extends Leaving {
  override readonly name = 'Interrupted'

  constructor() {
    super('interrupted', exitCode.interrupted)
  }
}

/**
 * Does the work until it ends or the person presses Ctrl-C; then tells them what `onInterrupt` has to say and rejects with
 * `Interrupted` at once. `signal` is aborted for the work to let go.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>, onInterrupt: () => void): Promise<T> {
  const leaving = new AbortController()
  const interrupted = Promise.withResolvers<never>()
  const interrupt = () => {
    onInterrupt()
    interrupted.reject(new Interrupted())
    leaving.abort()
  }
  process.once('SIGINT', interrupt)
  try {
    return await Promise.race([work(leaving.signal), interrupted.promise])
  } finally {
    process.removeListener('SIGINT', interrupt)
  }
}
