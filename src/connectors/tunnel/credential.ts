// What a node keeps of a hub that it has joined: address, key, whom to trust there, and its own host id. No secret: the node's key file is the credential.
// One file a hub, in $MUSTER_HOME/node/, named by the hub's key, so that a node can belong to several.

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { TrustConfig } from '../trust.ts'
import { removeNodeCertificate } from './certificate.ts'

const JoinedHub = z.object({
  hubUrl: z.string(),
  hubKey: z.string(),
  host: z.string(),
  name: z.string(),
  trust: TrustConfig.default({}),
  /** What whoever joined it has allowed it here; absent where that is said at each start. */
  allow: z.array(z.string()).optional(),
})
export type JoinedHub = z.output<typeof JoinedHub>

/** `dir` is $MUSTER_HOME/node. */
export async function saveJoinedHub(dir: string, hub: JoinedHub): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, `${hub.hubKey}.json`)
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, `${JSON.stringify(hub, null, 2)}\n`, { mode: 0o600, flush: true })
  await rename(fresh, file)
  // A hub that was set up anew: the former one is at this address no more.
  for (const former of await joinedAt(dir, hub.hubUrl)) if (former.file !== file) await rm(former.file, { force: true })
}

/** The hub that was joined at this address, if any. */
export async function findJoinedHub(dir: string, hubUrl: string): Promise<JoinedHub | undefined> {
  return (await joinedAt(dir, hubUrl))[0]?.hub
}

/** Every hub that was joined, by address. */
export async function listJoinedHubs(dir: string): Promise<JoinedHub[]> {
  const hubs = (await recordsIn(dir)).map(({ hub }) => hub)
  return hubs.sort((a, b) => (a.hubUrl < b.hubUrl ? -1 : 1))
}

export async function forgetJoinedHub(dir: string, { hubKey }: Pick<JoinedHub, 'hubKey'>): Promise<void> {
  for (const { file, hub } of await recordsIn(dir)) if (hub.hubKey === hubKey) await rm(file, { force: true })
  await removeNodeCertificate(dir, hubKey)
}

async function joinedAt(dir: string, hubUrl: string): Promise<{ file: string; hub: JoinedHub }[]> {
  return (await recordsIn(dir)).filter(({ hub }) => hub.hubUrl === hubUrl)
}

/** A file that cannot be read as a record of one is not one. */
async function recordsIn(dir: string): Promise<{ file: string; hub: JoinedHub }[]> {
  const files = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const records = files.filter((name) => name.endsWith('.json')).map((name) => join(dir, name))
  const read = await Promise.all(records.map(async (file) => ({ file, hub: parseJoinedHub(await readFile(file, 'utf8')) })))
  return read.flatMap(({ file, hub }) => (hub ? [{ file, hub }] : []))
}

function parseJoinedHub(text: string): JoinedHub | undefined {
  try {
    return JoinedHub.safeParse(JSON.parse(text)).data
  } catch {
    // Not JSON: then it is no record of a hub, whatever it is.
    return undefined
  }
}
