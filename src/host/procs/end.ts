// A proc's end in words and values, from what was seen of its process.

import type { Exit } from '../../contract/run.ts'
import type { Ended } from '../processes.ts'

export interface ProcEnd {
  readonly how: string
  readonly exit: Exit | null
  readonly startedAt: string | null
  readonly endedAt: string
}

/** `ended` is undefined when nothing was ever started. */
export function describeEnd(ended: Ended | undefined): ProcEnd {
  const now = new Date().toISOString()
  if (!ended) return neverStarted('it was never started')
  if (ended.how === 'gone') {
    return { how: 'it is gone and left no exit record', exit: { code: null, signal: null }, startedAt: null, endedAt: now }
  }
  const { exit, notStarted, startedAt, endedAt } = ended.record
  if (notStarted) return neverStarted(`it could not be started: ${notStarted.problem}`, endedAt)
  return { how: exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`, exit, startedAt, endedAt }
}

export function neverStarted(how: string, endedAt = new Date().toISOString()): ProcEnd {
  return { how, exit: null, startedAt: null, endedAt }
}
