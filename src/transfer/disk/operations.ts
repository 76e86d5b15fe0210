// The contract's file operations, answered from this machine's disk: by a host for what it exposes, and by the command line for its own side
// of a copy. Who may have what is asked of `allow`, of each path and before anything is looked at.

import { mkdir } from 'node:fs/promises'
import { MusterError } from '../../contract/errors.ts'
import {
  digestFile,
  dropFile,
  gatherFiles,
  getFile,
  keepFile,
  lookAtFile,
  putFile,
  scatterFiles,
  stagedFile,
  walkFiles,
} from '../../contract/file.ts'
import { type Bound, implement, type Principal } from '../../contract/implementation.ts'
import { makeCounts } from './count.ts'
import { absolutePath, type Jail, outside } from './jail.ts'
import { digestVersion, gather, look, readVersion } from './reading.ts'
import { scatter } from './scatter.ts'
import { type SmallFiles, waiting } from './small-files.ts'
import { makeStaging } from './staged.ts'
import { walk } from './walk.ts'

/** What reading and writing files is called in a policy. */
export const fileCommand = { read: 'file.read', write: 'file.write' } as const
export type FileCommand = (typeof fileCommand)[keyof typeof fileCommand]

export interface DiskOf {
  /** Where files may be read and written, as it is now. Its own directory is made when it is first needed. */
  readonly jail: () => Jail
  /** Throws what forbids this path to who asks. */
  readonly allow: (command: FileCommand, path: string, by: AskedBy) => void
  /** `blocking` where nobody else waits for this process. */
  readonly smallFiles?: SmallFiles
}

export interface AskedBy {
  readonly principal: Principal
  readonly permit?: string | undefined
}

export function fileOperations({ jail: jailNow, allow, smallFiles: files = waiting }: DiskOf): Bound[] {
  const counts = makeCounts()
  const staging = makeStaging()

  /** The jail, and the path as an absolute one that this principal may have. Throws `file.outside` and what `allow` throws. */
  async function at(command: FileCommand, { path, permit }: { path: string; permit?: string | undefined }, principal: Principal) {
    const jail = jailNow()
    const { roots, own } = jail
    const absolute = absolutePath(roots, path)
    // Before it is refused as outside, so that who may have nothing learns nothing of the roots.
    allow(command, absolute ?? path, { principal, permit })
    if (absolute === undefined) throw outside(roots, path)
    if (own !== undefined && roots.includes(own)) await mkdir(own, { recursive: true, mode: 0o700 })
    return { jail, path: absolute }
  }

  const each = (command: FileCommand, by: AskedBy) => (path: string) => allow(command, path, by)

  return [
    implement(lookAtFile, async (input, { principal }) => {
      const { jail, path } = await at(fileCommand[input.for], input, principal)
      return { path, found: await look(jail, path) }
    }),
    implement(walkFiles, async function* (input, { principal, signal }) {
      const { jail, path } = await at(fileCommand[input.for], input, principal)
      const forbidden = problemWith(each(fileCommand[input.for], { principal, permit: input.permit }))
      yield* walk(jail, { path, glob: input.glob, after: input.after, forbidden }, signal)
    }),
    implement(getFile, async function* ({ version, offset, limit, counted, ...input }, { principal, signal }) {
      const { jail, path } = await at('file.read', input, principal)
      yield* readVersion(jail, { path, version, offset, limit, counted }, counts, signal)
    }),
    implement(digestFile, async (input, { principal, signal }) => {
      const { jail, path } = await at('file.read', input, principal)
      return await digestVersion(jail, { path, version: input.version }, counts, signal)
    }),
    implement(gatherFiles, async function* (input, { principal, signal }) {
      const { jail, path } = await at('file.read', input, principal)
      const allowed = each('file.read', { principal, permit: input.permit })
      yield* gather(jail, { path, names: input.names, allow: allowed, files }, signal)
    }),
    implement(stagedFile, async ({ transfer, ...input }, { principal }) => {
      const { jail, path } = await at('file.write', input, principal)
      return await staging.staged(jail, path, transfer)
    }),
    implement(putFile, async ({ transfer, offset, ...input }, { principal, signal }, body) => {
      const { jail, path } = await at('file.write', input, principal)
      return await staging.put(jail, { path, transfer, offset }, body, signal)
    }),
    implement(keepFile, async (input, { principal, signal }) => {
      const { jail, path } = await at('file.write', input, principal)
      return await staging.keep(jail, { ...input, path }, signal)
    }),
    implement(dropFile, async ({ transfer, ...input }, { principal }) => {
      const { jail, path } = await at('file.write', input, principal)
      return await staging.drop(jail, path, transfer)
    }),
    implement(scatterFiles, async (input, { principal, signal }, body) => {
      const { jail, path } = await at('file.write', input, principal)
      const allowed = each('file.write', { principal, permit: input.permit })
      return { results: await scatter(jail, { path, replace: input.replace, allow: allowed, files }, body, signal) }
    }),
  ]
}

/** For what is told in a list: a sentence without its full stop. */
function problemWith(allow: (path: string) => void): (path: string) => string | undefined {
  return (path) => {
    try {
      allow(path)
      return undefined
    } catch (error) {
      if (error instanceof MusterError) return error.message.replace(/\.$/, '')
      throw error
    }
  }
}
