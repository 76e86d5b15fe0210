// What is asked and answered in the round trip, the same over each carrier: a proc that exists is asked to exist.

import type { InputOf } from '../../src/contract/operation.ts'
import type { applyProc, ProcState } from '../../src/contract/proc.ts'

export const question: InputOf<typeof applyProc> = {
  proc: 'bench',
  // It never says that it is ready, and need not.
  spec: { argv: ['sleep', '3600'], readyTimeoutMs: 600_000 },
}

/** What a peer answers: as long as what Muster answers. */
export const answer: ProcState = {
  name: 'bench',
  manager: 'process',
  status: 'starting',
  generation: 1,
  pid: 12_345,
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
  exit: null,
  stderrTail: '',
}
