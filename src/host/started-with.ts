// What a host's process was started with, kept for who explains its policy on the same machine: a command line is gone with its process.
// Nothing is ever decided by it.

import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CommandPattern } from '../contract/policy.ts'
import type { HostPolicy } from './policy.ts'

const StartedWith = z.object({
  allow: z.literal('everything').or(z.array(CommandPattern)),
  withoutFile: z.literal('everything').optional(),
})
export type StartedWith = z.output<typeof StartedWith>

const fileIn = (home: string) => join(home, 'started-with.json')

/** `home` is $MUSTER_HOME/host. */
export function noteStart(home: string, { allow, withoutFile }: HostPolicy): void {
  const noted = { allow, ...(withoutFile && { withoutFile }) }
  writeFileSync(`${fileIn(home)}.new`, JSON.stringify(noted), { mode: 0o600 })
  renameSync(`${fileIn(home)}.new`, fileIn(home))
}

/** Undefined where no host has run in this home yet. */
export async function startedWith(home: string): Promise<StartedWith | undefined> {
  try {
    return StartedWith.safeParse(JSON.parse(await readFile(fileIn(home), 'utf8'))).data
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
