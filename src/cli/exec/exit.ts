// What the end of a run means for the exit code of the command line.

import { constants } from 'node:os'
import type { ErrorValue } from '../../contract/errors.ts'
import type { Run } from '../../contract/run.ts'

export interface RunExit {
  /** The command's own code, or 128 + N after signal N; undefined when it has none: it never started, or nobody saw its end. */
  readonly code: number | undefined
  /** Beside the code: why the run ended as it did, if Muster had a part in it. */
  readonly error: ErrorValue | null
}

export function exitOfRun({ exit, error }: Pick<Run, 'exit' | 'error'>): RunExit {
  if (exit?.code !== null && exit?.code !== undefined) return { code: exit.code, error }
  const signal = exit?.signal ? constants.signals[exit.signal as NodeJS.Signals] : undefined
  return { code: signal === undefined ? undefined : 128 + signal, error }
}
