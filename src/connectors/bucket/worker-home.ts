// What a worker keeps of one bucket, in $MUSTER_HOME/node/bucket/<host>/<worker>/: whose bucket it is, which runs it holds, and the segments that
// it has made and perhaps not yet put. No secret: the join token is not kept, and the key is the node's own.
//
// A segment is on disk before it is put, and is put again after a kill: the same bytes under the same key, so nothing is lost or doubled.

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { namesIn, readJson } from '../own-files.ts'
import { byId } from './by-id.ts'
import type { Held } from './claims.ts'
import { BucketPlace } from './config.ts'
import { placeText } from './place.ts'

const JoinedBucket = z.strictObject({
  place: BucketPlace,
  host: z.string(),
  hubKey: z.string(),
  joinKey: z.string(),
  introduction: z.string(),
})
export type JoinedBucket = z.output<typeof JoinedBucket>

const Kept = z.object({
  /** How often a worker was started on this home: the upper part of its beats' counts. */
  life: z.int().nonnegative(),
  held: z.record(
    z.string(),
    z.object({
      fence: z.int().positive(),
      nonce: z.string(),
      renewal: z.int().nonnegative(),
      ended: z.boolean(),
      asked: z.array(z.string()),
    }),
  ),
  /** What was asked of no run and was begun here, each until it is valid no more: put back by somebody, it is not begun again. */
  begun: byId(z.string(), z.int()),
})

/** The newest list of runs that are over: one that is gone from the bucket is known all the same. */
const Done = z.object({ version: z.int().nonnegative(), runs: byId(z.string(), z.int()) })
type Done = z.output<typeof Done>

export interface WorkerHome {
  readonly life: number
  readonly done: Done
  keepDone(done: Done): Promise<void>
  readonly held: Map<string, Held>
  readonly begun: Map<string, number>
  save(): Promise<void>
  /** The newest segment that was made, put or not. */
  readonly newest: { readonly number: number; readonly bytes: Buffer } | undefined
  keepSegment(number: number, bytes: Uint8Array): Promise<void>
}

/** The bucket that was joined at this place, of those that `dir` ($MUSTER_HOME/node/bucket) knows. */
export async function findJoinedBucket(dir: string, place: BucketPlace): Promise<JoinedBucket | undefined> {
  for (const host of await namesIn(dir)) {
    const joined = JoinedBucket.safeParse(await readJson(join(dir, host, 'joined.json'))).data
    if (joined && placeText(joined.place) === placeText(place)) return joined
  }
  return undefined
}

export async function saveJoinedBucket(dir: string, joined: JoinedBucket): Promise<void> {
  await mkdir(join(dir, joined.host), { recursive: true, mode: 0o700 })
  await writeWhole(join(dir, joined.host, 'joined.json'), `${JSON.stringify(joined, null, 2)}\n`)
}

export async function openWorkerHome(dir: string): Promise<WorkerHome> {
  const segments = join(dir, 'segments')
  await mkdir(segments, { recursive: true, mode: 0o700 })
  const file = join(dir, 'worker.json')
  const kept = Kept.safeParse(await readJson(file)).data ?? Kept.parse({ life: 0, held: {} })
  const held = new Map<string, Held>(Object.entries(kept.held))
  const begun = new Map(Object.entries(kept.begun))
  const made = (await namesIn(segments)).filter((name) => /^\d+$/.test(name)).map(Number)
  const newestNumber = made.length === 0 ? undefined : Math.max(...made)
  const doneFile = join(dir, 'done.json')
  let done = Done.safeParse(await readJson(doneFile)).data ?? Done.parse({ version: 0 })
  let saving: Promise<void> = Promise.resolve()
  const home: WorkerHome = {
    life: kept.life + 1,
    get done() {
      return done
    },
    async keepDone({ version, runs }) {
      await writeWhole(doneFile, JSON.stringify({ version, runs }))
      done = { version, runs }
    },
    held,
    begun,
    save() {
      const write = () => {
        const record = { life: home.life, held: Object.fromEntries(held), begun: Object.fromEntries(begun) }
        return writeWhole(file, JSON.stringify(record))
      }
      saving = saving.then(write, write)
      return saving
    },
    newest:
      newestNumber === undefined
        ? undefined
        : { number: newestNumber, bytes: await readFile(join(segments, String(newestNumber))) },
    async keepSegment(number, bytes) {
      await writeWhole(join(segments, String(number)), bytes)
      for (const name of await namesIn(segments)) if (Number(name) < number) await rm(join(segments, name), { force: true })
    },
  }
  await home.save()
  return home
}

/** A crash leaves the old file or the new one. */
async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
}
