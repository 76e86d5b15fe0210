// Where a log begins: after a chunk number, at a time, or some while ago.

import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { parseDuration } from '../duration.ts'

export interface LogStart {
  /** Chunks up to this number are left out. */
  readonly after: number
  /** Milliseconds since the epoch: chunks seen earlier are left out. */
  readonly notBefore?: number
}

const IsoTime = z.iso.datetime({ offset: true, local: true }).or(z.iso.date())

/** Throws `cli.usage`. */
export function parseSince(text: string | undefined, now = Date.now()): LogStart {
  if (text === undefined) return { after: 0 }
  if (/^\d{1,15}$/.test(text)) return { after: Number(text) }
  const ms = parseDuration(text)
  if (ms !== undefined) return { after: 0, notBefore: now - ms }
  if (IsoTime.safeParse(text).success) return { after: 0, notBefore: Date.parse(text) }
  throw failure('cli.usage', {
    problem: 'The value of --since is no chunk number, time or duration.',
    hint: 'Write a chunk number (120), a duration back from now (10m) or a time (2026-01-31T08:00:00Z).',
  })
}
