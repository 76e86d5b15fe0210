// hub/hub.json: who serves the hub of a home, and where. Written once it listens, removed when it ends; after a kill it is stale,
// which the pid together with the process's start time tells.

import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import { identify, isAlive, ProcessIdentity } from '../host/process-identity.ts'
import type { Home } from './home.ts'
import { writeFileWhole } from './whole-file.ts'

const HubRecord = ProcessIdentity.extend({
  urls: z.array(z.string()),
  /** What its https:// address can be trusted by, where others' systems do not trust it. */
  pin: z.string().nullable().default(null),
  socket: z.string(),
  version: z.string(),
  startedAt: z.iso.datetime(),
})
export type HubRecord = z.output<typeof HubRecord>

/** Records this process as the hub of the home. */
export async function writeHubRecord(
  home: Home,
  hub: Pick<HubRecord, 'urls' | 'pin' | 'socket' | 'version'>,
): Promise<HubRecord> {
  const self = await identify(process.pid)
  const record = { pid: process.pid, startTime: self?.startTime ?? '', ...hub, startedAt: new Date().toISOString() }
  await writeFileWhole(home.hubRecord, `${JSON.stringify(record, null, 2)}\n`)
  return record
}

export async function removeHubRecord(home: Home): Promise<void> {
  await rm(home.hubRecord, { force: true })
}

/** The record as it stands, whoever wrote it; undefined when there is none that can be read. */
export async function readHubRecord(home: Home): Promise<HubRecord | undefined> {
  const text = await readFile(home.hubRecord, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const parsed = HubRecord.safeParse(jsonOrUndefined(text))
  return parsed.success ? parsed.data : undefined
}

/** The hub that is alive now. */
export async function findHub(home: Home): Promise<HubRecord | undefined> {
  const record = await readHubRecord(home)
  return record && (await isAlive(record)) ? record : undefined
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A torn or foreign file is no record: the hub rewrites it whole.
    return undefined
  }
}
