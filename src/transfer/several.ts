// Small files and directories: many in one request, read from one side and handed to the other as they come.

import { type ErrorValue, failure, hasCode, MusterError } from '../contract/errors.ts'
import { fileLimits, type ScatterOutcome, scatterFiles } from '../contract/file.ts'
import { below } from './disk/reading.ts'
import { type Patience, patiently } from './patience.ts'
import type { Batch, Directories } from './plan.ts'
import { encodeRecord } from './records.ts'
import { handOver } from './relay.ts'
import { onSide, placeText, sideError } from './side.ts'

export interface SentBatch {
  readonly kept: readonly { readonly name: string; readonly sha256: string }[]
  readonly failed: readonly { readonly name: string; readonly error: MusterError }[]
}

/** A break costs the files that were on their way: all of them are sent anew. */
export async function sendBatch(
  { from, to, files }: Batch,
  { patience, replace, onBytes }: { patience: Patience; replace: 'nothing' | 'files'; onBytes: (bytes: number) => void },
): Promise<SentBatch> {
  const { signal } = patience
  const names = files.map(({ name }) => name)
  const { results } = await patiently(patience, () =>
    handOver({
      what: 'several',
      from: from.side,
      read: { path: from.path, names },
      to: to.side,
      write: { path: to.path, replace },
      signal,
      onBytes,
    }),
  )
  return judged({ from, to, files }, results)
}

/** What the sides say of each file that was meant. Of one that is left out nothing is known, and for others nobody has asked. */
function judged({ from, to, files }: Batch, results: readonly ScatterOutcome[]): SentBatch {
  const kept: SentBatch['kept'][number][] = []
  const failed: SentBatch['failed'][number][] = []
  const open = new Set(files.map(({ name }) => name))
  for (const { name, sha256, code, problem } of results) {
    if (!open.delete(name)) throw failure('wire.protocol', { problem: `${placeText(to)}: files came that were not asked for` })
    if (sha256 !== undefined) kept.push({ name, sha256 })
    else failed.push({ name, error: sideError(to.side, told(code ?? 'file.unwritable', problem)) })
  }
  for (const name of open) {
    const place = placeText({ ...from, path: below(from.path, name) })
    failed.push({ name, error: failure('file.not_copied', { place, problem: 'nothing of it was sent' }) })
  }
  return { kept, failed }
}

/** `stage`: `make` those that are not there; at the `end` all of them get their modes and times, once everything is in them. */
export async function sendDirectories(
  { to, all }: Directories,
  stage: 'make' | 'end',
  patience: Patience,
): Promise<SentBatch['failed']> {
  const meant = stage === 'make' ? all.filter(({ isThere }) => !isThere) : all
  const failed: SentBatch['failed'][number][] = []
  for (let at = 0; at < meant.length; at += fileLimits.severalRecords) {
    const some = meant.slice(at, at + fileLimits.severalRecords)
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const { name, mode, modifiedAt } of some)
        yield encodeRecord({ kind: 'directory', name, mode, ...(stage === 'end' && { modifiedAt }) })
    }
    const { results } = await patiently(patience, () =>
      onSide(to.side, to.side.caller.upload(scatterFiles, { path: to.path }, body(), { signal: patience.signal })),
    )
    for (const { name, code, problem } of results)
      if (code !== undefined) failed.push({ name, error: sideError(to.side, told(code, problem)) })
  }
  return failed
}

/** An error that came as a code and a sentence among the results of others. */
function told(code: string, problem = ''): MusterError {
  const value: ErrorValue = { code, message: problem, hint: hintOf(code), retryable: false }
  return new MusterError(value)
}

function hintOf(code: string): string {
  const same = failure('file.not_copied', { place: '', problem: '' }).hint
  return code === 'file.damaged' ? failure('file.damaged', { file: '' }).hint : same
}

/** It grew, or was changed, since it was looked at: it goes by itself. */
export function wantsOwnWay(error: MusterError): boolean {
  return hasCode(error, 'file.too_large') || hasCode(error, 'file.changed')
}
