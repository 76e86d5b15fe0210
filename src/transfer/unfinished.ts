// A tree that is copied to a name of its own makes that directory; were it only that, the same words would the next time copy the tree into
// it. So until all of it is there, a mark lies in it that says whose copy it is, and the same words go on with that.

import { createHash } from 'node:crypto'
import { dropFile, putFile, stagedFile } from '../contract/file.ts'
import { below } from './disk/reading.ts'
import { type Patience, patiently } from './patience.ts'
import { onSide, type Place } from './side.ts'

export async function isUnfinished(source: Place, target: Place, signal: AbortSignal): Promise<boolean> {
  const { side } = target
  const { bytes } = await onSide(side, side.caller.call(stagedFile, markOf(source, target), { signal }))
  return bytes > 0
}

export async function markUnfinished(source: Place, target: Place, patience: Patience): Promise<void> {
  const { side } = target
  const { signal } = patience
  async function* mark(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('\n')
  }
  await patiently(patience, async () => {
    if (await isUnfinished(source, target, signal)) return
    await onSide(side, side.caller.upload(putFile, { ...markOf(source, target), offset: 0 }, mark(), { signal }))
  })
}

export async function markFinished(source: Place, target: Place, patience: Patience): Promise<void> {
  const { side } = target
  const drop = () => onSide(side, side.caller.call(dropFile, markOf(source, target), { signal: patience.signal }))
  await patiently(patience, drop)
}

/** What a transfer of that source would have staged in the directory. */
function markOf(source: Place, target: Place): { path: string; transfer: string } {
  const whose = JSON.stringify([source.side.id, source.path, target.side.id, target.path])
  const transfer = createHash('sha256').update(whose).digest('hex').slice(0, 32)
  return { path: below(target.path, 'tree'), transfer }
}
