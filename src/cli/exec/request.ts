// What `muster exec` was asked for: its options as commander gives them, and the request made of them.

import type { RunSpecInput } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { GlobalOptions } from '../perform.ts'
import type { Terminal } from '../terminal.ts'

export interface ExecOptions {
  readonly stdin: boolean
  readonly detach?: true
  readonly runKey?: string
  readonly cwd?: string
  readonly env?: [string, string | undefined][]
  /** Milliseconds. */
  readonly timeout?: number
  readonly shell?: true
  readonly artifact?: string[]
  readonly queue?: true
  readonly fold?: true
}

type CommandSpecInput = Extract<RunSpecInput, { kind: 'command' }>

/** What to run, and how to ask for it. */
export interface ExecRequest {
  readonly spec: Omit<CommandSpecInput, 'stdin'>
  readonly key: string | undefined
  readonly queue: boolean
  readonly detach: boolean
}

export interface ExecContext {
  readonly terminal: Terminal
  readonly client: HubClient
  readonly options: ExecOptions & GlobalOptions
}
