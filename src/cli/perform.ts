// Joins a declared command to its implementation, which is imported only when the command runs: `--help` loads none of them.
// A command answers with an Outcome; the way it is shown (text, --json, --output) is decided here once.

import type { Command } from 'commander'
import { asMusterError, type MusterError } from '../contract/errors.ts'
import { Leaving } from './leaving.ts'
import type { Terminal } from './terminal.ts'

export interface GlobalOptions {
  readonly json?: true
  readonly output?: string
}

export interface Outcome {
  /** What `--json` prints and `--output` writes. */
  readonly json: unknown
  /** What people read instead; nothing when the command has shown its result as it went. */
  readonly text?: string
  /** The command has printed its own JSON as it went; `json` is for `--output` alone. */
  readonly shown?: true
  readonly exit?: number
}

/** What a command's implementation is: it gets the streams, the parsed options and the arguments, as declared. */
export type Action<Options, Args extends readonly unknown[]> = (
  terminal: Terminal,
  options: Options & GlobalOptions,
  ...args: Args
) => Promise<Outcome>

/** What commander calls: `this` is the command that was found. */
export type Performed = (this: Command, ...given: unknown[]) => Promise<void>

export type Perform = <Options, Args extends readonly unknown[]>(
  load: () => Promise<Action<Options, Args>>,
  how?: { failureExit: number },
) => Performed

/** A command that failed with Muster's own error, and the exit code that it wants. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly error: MusterError
  readonly exit: number

  constructor(error: MusterError, exit: number) {
    super(error.message, { cause: error })
    this.error = error
    this.exit = exit
  }
}

/** `finish` is told the outcome. `failureExit` replaces the exit code of every failure (`exec` passes its command's codes through). */
export function performWith(terminal: Terminal, finish: (outcome: Outcome, options: GlobalOptions) => Promise<void>): Perform {
  return (load, how) =>
    async function perform(...given) {
      const args = given.slice(0, this.registeredArguments.length)
      const options: GlobalOptions = this.opts()
      const outcome = await run(async () => (await load())(terminal, options as never, ...(args as never)), how?.failureExit)
      await finish(outcome, options)
    }
}

async function run(action: () => Promise<Outcome>, failureExit: number | undefined): Promise<Outcome> {
  try {
    return await action()
  } catch (thrown) {
    if (failureExit === undefined || thrown instanceof Leaving) throw thrown
    throw new CommandFailed(asMusterError(thrown), failureExit)
  }
}
