// One artifact's bytes from the hub, in order and once, through breaks of the connection, and held to the SHA-256 that was told.

import { createHash } from 'node:crypto'
import { type Artifact, readArtifact } from '../../contract/artifact.ts'
import { failure } from '../../contract/errors.ts'
import { resuming } from '../resume.ts'
import type { RunReading } from '../run-output.ts'

/** Throws `artifact.damaged` after the last byte. One that is still being copied to the hub is waited for, for a while. */
export async function fetchArtifact(
  { terminal, host, run, signal }: RunReading,
  { name, bytes: size, sha256 }: Artifact,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const hash = createHash('sha256')
  let offset = 0
  await resuming(
    terminal,
    async (progress) => {
      if (offset >= size) return
      for await (const bytes of host.bytes(readArtifact, { run, name, offset }, signal && { signal })) {
        hash.update(bytes)
        await take(bytes)
        offset += bytes.length
        progress()
      }
    },
    signal,
  )
  if (offset !== size || hash.digest('hex') !== sha256) throw failure('artifact.damaged', { run, name })
}
