// A run's output: bytes per stream, addressed by offset, and the order in which chunks of both streams were seen.

import { z } from 'zod'
import { Flag, RunId, Time } from './names.ts'
import { operation } from './operation.ts'

export const OutputStream = z.enum(['stdout', 'stderr'])
export type OutputStream = z.output<typeof OutputStream>

export const readOutput = operation({
  kind: 'bytes',
  name: 'run.output',
  summary: "One stream's bytes from an offset on; with `follow`, until the run has ended.",
  input: z.strictObject({
    run: RunId,
    stream: OutputStream.default('stdout'),
    offset: z.coerce.number().int().nonnegative().default(0),
    limit: z.coerce.number().int().positive().optional().meta({ description: 'At most this many bytes.' }),
    follow: Flag.default(false),
  }),
  output: z.unknown(),
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/output',
})

/** A chunk as people read it: `text` where its bytes are UTF-8 by themselves and none is NUL, else `base64`. */
export const LogChunk = z.object({
  chunk: z.int().positive(),
  at: Time,
  stream: OutputStream,
  offset: z.int().nonnegative(),
  text: z.string().optional(),
  base64: z.string().optional(),
})
export type LogChunk = z.output<typeof LogChunk>

export const followLog = operation({
  kind: 'items',
  name: 'run.log',
  numberedBy: 'chunk',
  summary: 'Both streams as chunks in the order they were seen, numbered from 1; with `follow`, until the run has ended.',
  input: z.strictObject({
    run: RunId,
    after: z.coerce.number().int().nonnegative().default(0),
    follow: Flag.default(false),
  }),
  output: LogChunk,
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/log',
})

const CopiedBytes = z.coerce.number().int().nonnegative().optional().meta({
  description: 'Bytes of this stream in the chunks up to `after`, as they were copied; `output.changed` if they are not so here.',
})

export const feedOutput = operation({
  kind: 'bytes',
  name: 'run.feed',
  summary:
    'Both streams as binary chunk records (docs/protocol.md, "Chunk records") after a chunk number, until the run has ended: what a mirror copies.',
  input: z.strictObject({
    run: RunId,
    after: z.coerce.number().int().nonnegative().default(0),
    stdout: CopiedBytes,
    stderr: CopiedBytes,
  }),
  output: z.unknown(),
  errors: ['run.unknown', 'output.changed'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/feed',
})
