// The artifacts of one run: what its events tell of them, and their files. A file is named by its SHA-256 and nothing else, so that
// no name from elsewhere ever becomes a path here, and what lies under a digest is what the digest says.

import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Artifact, ArtifactKept, ArtifactRefused, type Refusal } from '../contract/artifact.ts'
import type { Store } from './store.ts'

export interface Artifacts {
  readonly kept: Artifact[]
  readonly refused: Refusal[]
}

/** Where the artifacts of a run lie whose output is in `dir`. */
export function artifactsDir(dir: string): string {
  return join(dir, 'artifacts')
}

export function artifactFile(dir: string, { sha256 }: Pick<Artifact, 'sha256'>): string {
  return join(artifactsDir(dir), sha256)
}

/** What a run's events tell, by name. */
export async function readArtifacts({ db }: Store, host: string, run: string): Promise<Artifacts> {
  const rows = await db
    .selectFrom('event')
    .select('body')
    .where('host', '=', host)
    .where('run', '=', run)
    // In JSON these quotes can stand only around a field of the event itself.
    .where('body', 'like', '%"type":"artifact.%')
    .orderBy('seq')
    .execute()
  const kept = new Map<string, Artifact>()
  const refused: Refusal[] = []
  for (const { body } of rows) {
    const event: unknown = JSON.parse(body)
    const { data: file } = ArtifactKept.safeParse(event)
    const { data: refusal } = ArtifactRefused.safeParse(event)
    if (file) kept.set(file.name, without(file))
    if (refusal) refused.push(without(refusal))
  }
  return { kept: [...kept.values()], refused }
}

function without<T extends { type: string }>({ type: _type, ...rest }: T): Omit<T, 'type'> {
  return rest
}

export async function isHere(dir: string, { sha256, bytes }: Pick<Artifact, 'sha256' | 'bytes'>): Promise<boolean> {
  try {
    return (await stat(artifactFile(dir, { sha256 }))).size === bytes
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

const pieceBytes = 256 * 1024

/** A file's bytes from `offset` up to `end`, as its reader takes them. */
export async function* readPart(file: string, offset: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const opened = await open(file, 'r')
  try {
    for (let at = offset; at < end; ) {
      signal.throwIfAborted()
      const length = Math.min(pieceBytes, end - at)
      const { bytesRead, buffer } = await opened.read(Buffer.allocUnsafe(length), 0, length, at)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await opened.close()
  }
}
