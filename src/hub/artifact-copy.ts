// Copies the artifacts of a run that has ended from its host, each going on at the byte where it broke off. What does not have the
// SHA-256 that was told is never shown: it is thrown away and copied again.

import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { type Artifact, readArtifact } from '../contract/artifact.ts'
import type { Caller } from '../contract/caller.ts'
import { failure } from '../contract/errors.ts'
import { artifactFile, artifactsDir, isHere, readArtifacts, readPart } from '../store/artifacts.ts'
import type { Store } from '../store/store.ts'

export interface ArtifactCopying {
  readonly store: Store
  readonly host: string
  readonly run: string
  /** Where the run's copy is. */
  readonly dir: string
  readonly caller: Caller
  /** Aborts the asking: what has come by then is gone on with. */
  readonly signal: AbortSignal
  /** Aborts all. A large file's digest takes longer than a turn, and could else never be taken. */
  readonly over: AbortSignal
}

const attempts = 3

/** Rejects with `artifact.damaged` when a host gives other bytes than it told of again and again, `artifact.unknown` when it gives none. */
export async function copyArtifacts(of: ArtifactCopying): Promise<void> {
  const { kept } = await readArtifacts(of.store, of.host, of.run)
  if (kept.length === 0) return
  await mkdir(artifactsDir(of.dir), { recursive: true, mode: 0o700 })
  for (const artifact of kept) if (!(await isHere(of.dir, artifact))) await copyOne(artifact, of)
}

async function copyOne(artifact: Artifact, of: ArtifactCopying): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) if (await copied(artifact, of)) return
  throw failure('artifact.damaged', { run: of.run, name: artifact.name })
}

/** Whether it is here now, with the digest that was told. What a broken link leaves is gone on with. */
async function copied(artifact: Artifact, { run, dir, caller, signal, over }: ArtifactCopying): Promise<boolean> {
  const file = artifactFile(dir, artifact)
  const part = `${file}.part`
  const target = await open(part, 'a', 0o600)
  try {
    const had = (await target.stat()).size
    const hash = createHash('sha256')
    let bytes = had
    if (bytes < artifact.bytes) {
      const { name } = artifact
      for await (const piece of caller.bytes(readArtifact, { run, name, offset: had }, { signal })) {
        bytes += piece.byteLength
        if (bytes > artifact.bytes) break
        hash.update(piece)
        await target.writev([piece])
      }
    }
    await target.sync()
    const digest = had === 0 ? hash.digest('hex') : await digestOf(part, bytes, over)
    if (bytes === artifact.bytes && digest === artifact.sha256) {
      await rename(part, file)
      return true
    }
    await rm(part)
    return false
  } finally {
    await target.close()
  }
}

async function digestOf(file: string, bytes: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of readPart(file, 0, bytes, signal)) hash.update(piece)
  return hash.digest('hex')
}
