// What every proc is to the front door, whoever manages it.

import type { CallContext } from '../../contract/implementation.ts'
import type { ProcState } from '../../contract/proc.ts'

export interface Proc {
  readonly state: ProcState
  /** Throws `proc.ended` or `proc.not_ready`, or what the proc itself answers. */
  call(method: string, params: unknown, context: CallContext): Promise<unknown>
  /** Resolves when it has ended; at once for one that has. */
  stop(graceMs: number): Promise<ProcState>
}

/** Whether it still is, or is still coming or going. */
export function isLive({ status }: Pick<ProcState, 'status'>): boolean {
  return status === 'starting' || status === 'running' || status === 'stopping'
}
