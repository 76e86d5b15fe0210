// What a host and its procs say to each other over the backend socket. Only procs/ speaks it; callers use `proc.call`.

import { z } from 'zod'
import { ProcName } from '../../contract/names.ts'
import { operation } from '../../contract/operation.ts'

export const readyProc = operation({
  kind: 'call',
  name: 'proc.ready',
  summary: 'A proc calls back: it is who it says, and answers messages from now on.',
  input: z.strictObject({ proc: ProcName, secret: z.string() }),
  output: z.object({}),
  errors: ['proc.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'POST /backend/ready',
})

export const messageProc = operation({
  kind: 'call',
  name: 'proc.message',
  summary: 'One message to a proc; its answer is passed on as it is.',
  input: z.strictObject({ method: z.string(), params: z.unknown() }),
  output: z.unknown(),
  errors: [],
  scope: 'operate',
  deferrable: false,
  http: 'POST /proc/message',
})

export const endProc = operation({
  kind: 'call',
  name: 'proc.end',
  summary: 'Asks a proc to finish and end by itself; SIGTERM follows if it does not.',
  input: z.strictObject({}),
  output: z.object({}),
  errors: [],
  scope: 'operate',
  deferrable: false,
  http: 'POST /proc/end',
})

/** What a proc finds in its environment. */
export const backendVariable = 'MUSTER_BACKEND'
export const procVariable = 'MUSTER_PROC'
/**
 * The secret travels in the environment: like a 0600 file, only this account can read it, and no file is left to be deleted.
 * The worker takes it out of its environment at once, so that the proc's own children do not inherit it.
 */
export const secretVariable = 'MUSTER_PROC_SECRET'
