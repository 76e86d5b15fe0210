// Invocations that came with a key, so that the same again gets the same answer: while it goes on, and for a while after.
// In memory: a host that was started anew has forgotten them, and says of none that it was not carried out.

import { createHash } from 'node:crypto'
import { failure } from '../../contract/errors.ts'
import { canonicalJson } from '../../store/canonical.ts'
import type { Invocation } from './command.ts'

/** How long the last who has left may come back. */
const leaveMs = 30_000
const keptMs = 10 * 60_000
const mostKept = 1_000
const mostBytes = 64 * 1024 * 1024

export interface Keyed {
  /** Whose key it is: nobody gets another's answer. */
  readonly asker: string
  readonly key: string
  readonly command: string
  /** What is asked, whole. */
  readonly request: unknown
}

export interface SameKey {
  /**
   * Works, or joins the work that goes on or has ended under this key. What failed before it had begun (nobody could be asked, say) is
   * no answer, and is done anew. Throws `invoke.conflict`.
   */
  once(keyed: Keyed, invocation: Invocation, work: Work): Promise<unknown>
}

export type Work = (invocation: Invocation, begun: () => void) => Promise<unknown>

interface Entry {
  readonly digest: string
  readonly answer: Promise<unknown>
  readonly joined: Set<Invocation>
  readonly ending: AbortController
  /** Runs while nobody waits for it. */
  leaving?: NodeJS.Timeout
  /** Undefined while it goes on. */
  ended?: { readonly atMs: number; readonly bytes: number }
}

export function sameKey(nowMs: () => number = () => performance.now()): SameKey {
  /** In the order in which they were begun. */
  const entries = new Map<string, Entry>()
  let bytes = 0

  function forget(id: string, { ended }: Entry): void {
    entries.delete(id)
    bytes -= ended?.bytes ?? 0
  }

  function makeRoom(): void {
    const now = nowMs()
    for (const [id, entry] of entries) {
      if (!entry.ended) continue
      if (now - entry.ended.atMs < keptMs && entries.size < mostKept && bytes < mostBytes) continue
      forget(id, entry)
    }
  }

  function begin(id: string, digest: string, { asker }: Invocation, work: Work): Entry {
    makeRoom()
    let hasBegun = false
    const joined = new Set<Invocation>()
    const ending = new AbortController()
    const progress = (value: unknown) => {
      for (const one of joined) one.progress(value)
    }
    const begun = () => {
      hasBegun = true
    }
    const answer = work({ signal: ending.signal, progress, asker }, begun)
    const entry: Entry = { digest, answer, joined, ending }
    const end = (size: number) => {
      clearTimeout(entry.leaving)
      entry.ended = { atMs: nowMs(), bytes: size }
      bytes += size
    }
    answer.then(
      (result) => end(JSON.stringify(result ?? null).length),
      () => {
        end(0)
        if (!hasBegun) forget(id, entry)
      },
    )
    entries.set(id, entry)
    return entry
  }

  /**
   * When the last who waits has left, it is ended, after a while in which the same may be asked for again: some carriers cannot tell
   * leaving from a link that broke. Where it is known that one broke, nobody has left.
   */
  function join(entry: Entry, invocation: Invocation): Promise<unknown> {
    const { answer, joined, ending } = entry
    if (entry.ended) return answer
    const { signal } = invocation
    joined.add(invocation)
    clearTimeout(entry.leaving)
    const leave = () => {
      joined.delete(invocation)
      if (joined.size === 0 && !isBrokenLink(signal.reason))
        entry.leaving = setTimeout(() => ending.abort(signal.reason), leaveMs)
    }
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    return answer.finally(() => signal.removeEventListener('abort', leave))
  }

  return {
    once({ asker, key, command, request }, invocation, work) {
      const id = JSON.stringify([asker, key])
      const digest = createHash('sha256')
        .update(canonicalJson([command, request]))
        .digest('hex')
      const known = entries.get(id)
      if (known && known.digest !== digest) throw failure('invoke.conflict', { command })
      return join(known ?? begin(id, digest, invocation, work), invocation)
    },
  }
}

function isBrokenLink(reason: unknown): boolean {
  return typeof reason === 'object' && reason !== null && 'code' in reason && reason.code === 'wire.closed'
}
