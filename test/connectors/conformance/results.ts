// What a run of the suite left behind for one connector: deterministic, so that a run that found nothing new changes no file.

import { z } from 'zod'

const CaseResult = z.object({
  name: z.string(),
  result: z.enum(['passed', 'skipped', 'failed']),
  /** The declared difference that a skip is for. */
  reason: z.string().optional(),
})
export type CaseResult = z.output<typeof CaseResult>

export const Results = z.object({
  kind: z.string(),
  groups: z.array(z.object({ title: z.string(), cases: z.array(CaseResult) })),
})
export type Results = z.output<typeof Results>
