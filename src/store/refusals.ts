// Refusals on their way into the audit log: all of a source that asks now and then, and of one that does not stop the first ones and
// a count, so that nobody fills the disk by being refused.

import type { NewAuditEntry } from '../contract/audit.ts'
import type { AuditSink, NotedEntry } from '../contract/audited.ts'

const windowMs = 60_000
/** So many of each source in a window have entries of their own. */
const mostOfOne = 20
/** Of those who could not say who they are, in all: an address costs them nothing. */
const mostOfStrangers = 200
/** Sources whose further refusals are counted apart; the rest share a count. */
const mostCounted = 100

export interface Refusals extends Disposable {
  /** Resolves once its entry, if it gets one, is on disk or that was tried. */
  take(entry: NewAuditEntry, noted?: NotedEntry): Promise<void>
}

interface Source {
  readonly actor: NewAuditEntry['actor']
  recorded: number
  counted: number
}

const others: NewAuditEntry['actor'] = { kind: 'stranger', id: 'others', role: 'none' }

export function openRefusals(sink: AuditSink): Refusals {
  const sources = new Map<string, Source>()
  let strangers = 0
  let window: NodeJS.Timeout | undefined

  function sourceOf(actor: NewAuditEntry['actor']): Source {
    const key = `${actor.kind} ${actor.id}`
    const known = sources.get(key)
    if (known) return known
    if (sources.size > mostCounted && actor.kind === 'stranger' && actor !== others) return sourceOf(others)
    const source: Source = { actor, recorded: 0, counted: 0 }
    sources.set(key, source)
    return source
  }

  function endWindow(): void {
    window = undefined
    for (const { actor, counted } of sources.values()) {
      if (counted > 0) sink.note({ actor, action: 'auth.refused', decision: 'denied', detail: { more: counted } })
    }
    sources.clear()
    strangers = 0
  }

  return {
    async take(entry, noted) {
      if (noted?.mend({ decision: 'denied', why: entry.why ?? null })) return noted.tried()
      window ??= setTimeout(endWindow, windowMs)
      const source = sourceOf(entry.actor)
      const isStranger = entry.actor.kind === 'stranger'
      if (source.recorded >= mostOfOne || (isStranger && strangers >= mostOfStrangers)) {
        source.counted += 1
        return
      }
      source.recorded += 1
      if (isStranger) strangers += 1
      await sink.note(entry).tried()
    },
    [Symbol.dispose]() {
      clearTimeout(window)
      endWindow()
    },
  }
}
