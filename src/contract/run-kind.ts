// The kinds of run. Beside the runs, for whoever lists hosts needs no more of them.

import { z } from 'zod'

export const runKinds = ['command', 'workflow'] as const
export const RunKind = z.enum(runKinds)
