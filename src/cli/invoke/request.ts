// What `muster invoke` was asked for: its options as commander gives them, and what is made of them.

import type { invokeCommand } from '../../contract/command.ts'
import type { InputOf } from '../../contract/operation.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { Terminal } from '../terminal.ts'

export interface InvokeOptions {
  readonly label?: string[]
  readonly paramsStdin?: true
  /** Milliseconds. */
  readonly timeout?: number
  readonly key?: string
  readonly session?: string
  readonly reason?: string
}

export type Invocation = InputOf<typeof invokeCommand>

export interface InvokeContext {
  readonly terminal: Terminal
  readonly client: HubClient
  readonly timeoutMs: number | undefined
}

/** What comes of an invocation whose caller leaves. */
export function howItEnds({ command, key }: Invocation, where: string): string {
  if (key === undefined) return `Cancelled: ${command} ${where} is ended.`
  return `Left: ${command} ${where} is ended within 30 s, unless it is asked for again with the same key.`
}
