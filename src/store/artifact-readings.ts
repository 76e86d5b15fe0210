// The operations that read a run's artifacts, over a store and the files beside the run's output: a host's own, and a hub's copies.

import { listArtifacts, readArtifact } from '../contract/artifact.ts'
import { failure } from '../contract/errors.ts'
import { type Bound, implement } from '../contract/implementation.ts'
import { artifactFile, isHere, readArtifacts, readPart } from './artifacts.ts'
import { getRun } from './runs.ts'
import type { Store } from './store.ts'

export interface ArtifactReadings {
  readonly store: Store
  readonly host: string
  readonly outputDir: (run: string) => string
}

export function artifactReadings({ store, host, outputDir }: ArtifactReadings): Bound[] {
  async function told(run: string) {
    if (!(await getRun(store, host, run))) throw failure('run.unknown', { run })
    return readArtifacts(store, host, run)
  }

  return [
    implement(listArtifacts, async ({ run }) => {
      const { kept, refused } = await told(run)
      const dir = outputDir(run)
      return { artifacts: await Promise.all(kept.map(async (one) => ({ ...one, here: await isHere(dir, one) }))), refused }
    }),
    implement(readArtifact, async function* ({ run, name, offset, limit = Infinity }, { signal }) {
      const artifact = (await told(run)).kept.find((one) => one.name === name)
      if (!artifact) throw failure('artifact.unknown', { run, name })
      const dir = outputDir(run)
      if (!(await isHere(dir, artifact))) throw failure('artifact.not_here', { run, name })
      yield* readPart(artifactFile(dir, artifact), offset, Math.min(artifact.bytes, offset + limit), signal)
    }),
  ]
}
