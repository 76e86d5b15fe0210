// What is on disk about a process that was asked for: the answer to "was it ever started?", whoever died meanwhile.
//
//     none ─claim─▶ claimed ─spawn─▶ spawned ─exit─▶ ended
//
// `claimed` is durable before the spawn, and `spawned` right after it, on Linux in the same turn of the keeper's loop. So a
// process is never started twice: only who made the claim may spawn, and there is one claim. One window remains: a keeper that is
// killed between the two (some ms) leaves a claim of which nobody can say whether it was carried out. It resolves by looking for a live
// process that carries the run's id in its environment: found, it is that one; not found, the run is lost, which is said, and it
// is not started again.

import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Time } from '../../contract/names.ts'
import { ProcessIdentity } from '../process-identity.ts'
import { createDurably, readIfThere, replaceDurably } from './durable.ts'
import { ExitRecord, readExitRecord } from './exit-record.ts'

const SpawnRecord = z.object({ claimedAt: Time, spawned: ProcessIdentity.nullable() })

export const Trace = z.discriminatedUnion('found', [
  z.object({ found: z.literal('none') }),
  z.object({ found: z.literal('claimed'), startedAt: Time }),
  z.object({ found: z.literal('spawned'), startedAt: Time, identity: ProcessIdentity }),
  z.object({ found: z.literal('ended'), record: ExitRecord }),
])
export type Trace = z.output<typeof Trace>

const fileIn = (dir: string) => join(dir, 'spawn')

/** `dir` is the process's directory, which need not exist. */
export function readTrace(dir: string): Trace {
  const record = readExitRecord(dir)
  if (record) return { found: 'ended', record }
  const text = readIfThere(fileIn(dir))
  if (text === undefined) return { found: 'none' }
  const { claimedAt, spawned } = parseSpawnRecord(text, fileIn(dir))
  if (!spawned) return { found: 'claimed', startedAt: claimedAt }
  return { found: 'spawned', startedAt: claimedAt, identity: spawned }
}

/** Answers false when it was claimed before: then it must not be spawned. */
export function claimSpawn(dir: string, claimedAt: string): boolean {
  return createDurably(fileIn(dir), JSON.stringify({ claimedAt, spawned: null }))
}

/** Takes a claim back under which nothing was spawned, and by this keeper nothing will be: who asked may ask again. */
export function dropClaim(dir: string): void {
  rmSync(fileIn(dir))
}

export function recordSpawned(dir: string, claimedAt: string, spawned: ProcessIdentity): void {
  replaceDurably(fileIn(dir), JSON.stringify({ claimedAt, spawned }))
}

/** A claim is created before its text is written; one whose writer or machine died in between is a claim all the same. */
function parseSpawnRecord(text: string, file: string): z.output<typeof SpawnRecord> {
  const whole = SpawnRecord.safeParse(jsonIn(text))
  return whole.success ? whole.data : { claimedAt: statSync(file).mtime.toISOString(), spawned: null }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
