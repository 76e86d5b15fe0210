// What a command is to the host that carries it out: its entry for the catalog, and how one invocation of it is settled and run.

import type { CommandEntry } from '../../contract/command.ts'

export type Params = Readonly<Record<string, unknown>>

export interface Invocation {
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal
  readonly progress: (value: unknown) => void
  /** Who asks, as the hub says that let him in; null where it is the hub itself, or does not say. */
  readonly asker: string | null
}

/** All that an invocation depends on: what a person who is asked is shown, and whose digest he approves. */
export interface Shown {
  readonly params: Params
  readonly argv?: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly script?: string
}

/** One invocation, settled before anybody is asked; `run` runs what `shown` shows, and reads nothing that could have changed since. */
export interface Prepared {
  readonly shown: Shown
  run(invocation: Invocation): Promise<unknown>
}

export interface HostCommand {
  readonly entry: Omit<CommandEntry, 'exposure'>
  /** Allowed only by a rule that names it, not by one for everything. */
  readonly hidden?: true
  /** Where a person is asked, he is asked each time: no answer counts for a session. */
  readonly eachTime?: true
  /** `params` fit the entry's schema. Throws what is wrong with them beyond that. */
  prepare(params: Params): Prepared
}

/** The same value, which nobody can change any more. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const one of Object.values(value)) frozen(one)
  }
  return value
}
