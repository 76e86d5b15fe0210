// One file from side to side: its bytes go to a staging place beside the target and on from where they broke off; both sides count the
// SHA-256 as the bytes pass, and the target takes its name only when the two are the same.

import { createHash } from 'node:crypto'
import { failure, hasCode } from '../contract/errors.ts'
import { digestFile, dropFile, keepFile, stagedFile } from '../contract/file.ts'
import { type Patience, patiently } from './patience.ts'
import type { LargeFile } from './plan.ts'
import { handOver } from './relay.ts'
import { onSide, type Place } from './side.ts'

export interface Sending {
  readonly patience: Patience
  readonly replace: 'nothing' | 'files'
  /** So far the file has come; `sent` are bytes that have gone out, some of them perhaps twice. */
  readonly onBytes: (at: number, sent: number) => void
}

/** What was staged and is not what was sent is sent anew, once. */
const attempts = 2

/** Answers the SHA-256 that both sides have counted. Throws what either side says, with its name. */
export async function sendFile(file: LargeFile, of: Sending): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(file, of)
    } catch (error) {
      if (attempt === attempts || !hasCode(error, 'file.damaged')) throw error
    }
  }
}

async function sendOnce(file: LargeFile, { patience, replace, onBytes }: Sending): Promise<string> {
  const { from, to, bytes, version, mode, modifiedAt, replaces } = file
  const transfer = transferOf(file)
  const options = { signal: patience.signal }
  return await patiently(patience, async (gotOn) => {
    await sendRest(file, transfer, patience.signal, (at, sent) => {
      gotOn()
      onBytes(at, sent)
    })
    const digest = from.side.caller.call(digestFile, { path: from.path, version }, options)
    const { sha256 } = await onSide(from.side, digest)
    const staged = { path: to.path, transfer }
    const kept = { ...staged, bytes, sha256, mode, modifiedAt, replace, expect: replaces }
    await onSide(to.side, to.side.caller.call(keepFile, kept, options))
    return sha256
  })
}

async function sendRest(
  { from, to, bytes, version }: LargeFile,
  transfer: string,
  signal: AbortSignal,
  onBytes: Sending['onBytes'],
): Promise<void> {
  const target = { path: to.path, transfer }
  const { bytes: staged } = await onSide(to.side, to.side.caller.call(stagedFile, target, { signal }))
  let at = staged
  if (staged > bytes) {
    await onSide(to.side, to.side.caller.call(dropFile, target, { signal }))
    at = 0
  }
  onBytes(at, 0)
  if (at === bytes && bytes > 0) return
  const rest = bytes - at
  await handOver({
    what: 'file',
    from: from.side,
    read: { path: from.path, version, offset: at, counted: true, ...(rest > 0 && { limit: rest }) },
    to: to.side,
    write: { ...target, offset: at },
    signal,
    onBytes(sent) {
      at += sent
      if (at > bytes) throw failure('file.changed', { file: from.path })
      onBytes(at, sent)
    },
  })
}

/** The same for the same source in the same state at the same target, so that the same words go on with what they began. */
function transferOf({ from, to, version, bytes, modifiedAt }: LargeFile): string {
  const place = ({ side, path }: Place) => [side.id, path]
  return half([place(from), place(to)]) + half([version, bytes, modifiedAt])
}

function half(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 16)
}
