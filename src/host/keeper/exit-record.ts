// The `exit` file of a process: how it ended, when, and how much it had written. The keeper writes it once.
// It is the only word on a process's end that outlives both.

import { join } from 'node:path'
import { z } from 'zod'
import { Time } from '../../contract/names.ts'
import { Exit } from '../../contract/run.ts'
import { readIfThere, replaceDurably } from './durable.ts'

export const ExitRecord = z.object({
  exit: Exit,
  /** Why nothing was started at all; then `exit` is empty. */
  notStarted: z.object({ program: z.string(), problem: z.string() }).nullable(),
  pid: z.int().nullable(),
  startedAt: Time,
  endedAt: Time,
  output: z.object({ stdout: z.int().nonnegative(), stderr: z.int().nonnegative() }),
  /** The disk of its output was seen full while it went on, so that it may have failed to write. */
  diskWasFull: z.boolean().default(false),
})
export type ExitRecord = z.output<typeof ExitRecord>

export function writeExitRecord(dir: string, record: ExitRecord): void {
  replaceDurably(join(dir, 'exit'), JSON.stringify(record))
}

export function readExitRecord(dir: string): ExitRecord | undefined {
  const text = readIfThere(join(dir, 'exit'))
  return text === undefined ? undefined : ExitRecord.parse(JSON.parse(text))
}
