// How a command went on one of several hosts.

import type { ErrorValue } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import type { Run } from '../../contract/run.ts'
import type { Capture } from './capture.ts'
import type { Kept } from './kept-artifacts.ts'

/** Without `run`, it could not even be submitted there. */
export interface HostResult {
  readonly host: string
  readonly run?: Run
  readonly error: ErrorValue | null
  /** The command's exit code; undefined when it has none. */
  readonly code: number | undefined
  readonly output?: Record<OutputStream, Capture>
  readonly kept?: Kept | undefined
}
