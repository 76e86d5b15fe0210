// The one writer of a host's or hub's audit log. Entries that come together share a commit: one that must be durable first is
// written at once, with all that wait; the others wait for it, or for a moment.

import type { Logger } from 'pino'
import type { NewAuditEntry } from '../contract/audit.ts'
import type { AuditSink } from '../contract/audited.ts'
import { failure } from '../contract/errors.ts'
import { appendAudit, type DatedAuditEntry } from './audit.ts'
import type { Store } from './store.ts'

/** At most so long an entry that nobody waits for is in memory alone, while the disk can be written. */
const gatherMs = 25
const retryMs = 1_000
const mostTogether = 500
/** While the disk is slower than what comes, who brings more waits; while nothing can be written, he is refused. */
const mostWaiting = 10_000

export interface AuditLog extends AuditSink, AsyncDisposable {}

interface Waiting {
  entry: DatedAuditEntry
  isTaken: boolean
  /** For who waits until it is on disk; without it the entry is kept for another try. */
  readonly settle?: { readonly resolve: () => void; readonly reject: (error: unknown) => void }
  /** For who waits until that was tried. */
  tried?: () => void
}

/** `whose`: whose log it is, for the process's own log. */
export function openAuditLog(store: Store, log: Logger, whose: string): AuditLog {
  let waiting: Waiting[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let isFailing = false
  /** Somebody waits for what is not taken yet. */
  let isHurried = false
  /** Who waits for room. */
  const held: (() => void)[] = []

  const note: AuditLog['note'] = (entry) => {
    const one = put(entry)
    timer ??= setTimeout(writeNow, isFailing ? retryMs : gatherMs)
    return {
      mend(outcome) {
        if (!one.isTaken) one.entry = { ...one.entry, ...outcome }
        return !one.isTaken
      },
      tried: () =>
        new Promise((resolve) => {
          if (one.isTaken) return resolve()
          one.tried = resolve
          hurry()
        }),
    }
  }

  function put(entry: NewAuditEntry, settle?: Waiting['settle']): Waiting {
    const one: Waiting = { entry: { ...entry, at: new Date().toISOString() }, isTaken: false, ...(settle && { settle }) }
    waiting.push(one)
    return one
  }

  function hurry(): void {
    isHurried = true
    writeNow()
  }

  function writeNow(): void {
    clearTimeout(timer)
    timer = undefined
    writing ??= writeWhile(() => isHurried || waiting.length >= mostTogether).finally(() => {
      writing = undefined
      if (isHurried) writeNow()
      else if (waiting.length > 0) timer ??= setTimeout(writeNow, gatherMs)
    })
  }

  /** At least once. Rejects never: who waits for an entry is told himself, the others wait for another try. */
  async function writeWhile(isMore: () => boolean): Promise<void> {
    do {
      const batch = waiting.splice(0, mostTogether)
      for (const one of batch) one.isTaken = true
      if (waiting.length === 0) isHurried = false
      try {
        const isAwaited = batch.some(({ settle, tried }) => settle ?? tried)
        await appendAudit(
          store,
          batch.map(({ entry }) => entry),
          isAwaited ? 'now' : 'soon',
        )
        isFailing = false
        for (const { settle, tried } of batch) {
          settle?.resolve()
          tried?.()
        }
        letIn()
      } catch (error) {
        if (!isFailing) log.error({ err: error }, `the audit log of ${whose} cannot be written`)
        isFailing = true
        return giveBack([...batch, ...waiting], error)
      }
    } while (isMore())
  }

  function giveBack(unwritten: Waiting[], error: unknown): void {
    isHurried = false
    waiting = unwritten.filter(({ settle }) => !settle)
    for (const { settle, tried } of unwritten) {
      settle?.reject(error)
      tried?.()
    }
    for (const one of waiting) {
      one.isTaken = false
      delete one.tried
    }
    letIn()
    if (waiting.length > 0) timer ??= setTimeout(writeNow, retryMs)
  }

  function letIn(): void {
    for (const go of held.splice(0)) go()
  }

  return {
    note,
    async record(entry, { durable }) {
      if (!durable) {
        note(entry)
        return
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      put(entry, { resolve, reject })
      hurry()
      return promise
    },
    room() {
      if (waiting.length < mostWaiting) return undefined
      if (isFailing) throw failure('store.unavailable', { problem: `${mostWaiting} entries of the audit log wait to be written` })
      writeNow()
      return new Promise((resolve) => held.push(resolve))
    },
    async [Symbol.asyncDispose]() {
      await writing
      if (waiting.length > 0) await writeWhile(() => waiting.length > 0)
      clearTimeout(timer)
      if (waiting.length > 0) log.error({ entries: waiting.length }, `the audit log of ${whose} ends before its last entries`)
    },
  }
}
