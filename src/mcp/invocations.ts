// Invocations that a model has begun, by handles: a tool call waits for a while, and what goes on then is asked for again. Each belongs to
// who began it. It is ended when the client that waits for it cancels or goes away, and when nobody has asked for it for a while, so that
// a client which never comes back leaves nothing running. What must outlive its client is a run.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { ApprovalId } from '../contract/approval.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { Time } from '../contract/names.ts'

export interface Begun {
  readonly owner: string
  readonly node: string
  readonly command: string
}

/** Carries the command out until it ends or the signal aborts. */
export type CarryOut = (signal: AbortSignal, onProgress: (value: unknown) => void) => Promise<unknown>

export interface Invocation extends Begun {
  readonly handle: string
  readonly startedAtMs: number
  /** The approval that it waits for. */
  approval: { readonly id: string; readonly expiresAt: string | null } | null
  /** The end of what it has written so far. */
  tail: string
  /** How much it has told of its output so far, in characters. */
  told: number
  end: { readonly result: unknown; readonly tookMs: number } | { readonly error: MusterError; readonly tookMs: number } | null
}

export interface Waiting {
  readonly ms: number
  /** The caller's: where it aborts, so does the invocation, unless somebody else waits for it too. */
  readonly signal: AbortSignal
  /** Told when there is something to tell of it. */
  readonly onNews?: (invocation: Invocation) => void
}

export interface Invocations {
  /** Throws `tool.busy`. */
  begin(about: Begun, carryOut: CarryOut): Invocation
  /** Throws `tool.handle_unknown`, also for one of somebody else's. */
  find(owner: string, handle: string): Invocation
  /** Resolves when it has ended, asks a person for the first time, or the time is over. Rejects with the signal's reason. */
  wait(invocation: Invocation, waiting: Waiting): Promise<void>
  /** Ends it; what it has run is ended by its host. */
  cancel(invocation: Invocation): void
  /** Ends them all, for this reason: `call.cancelled` where they are not to go on, `wire.closed` where only this process ends. */
  close(reason: MusterError): void
}

const times = { unattendedMs: 5 * 60_000, keptMs: 10 * 60_000 }
/** Of one owner at once; a host has its own limits. */
const mostRunning = 512
const mostEnded = 1_000
const mostKeptCharacters = 64 * 1024 * 1024
const tailLength = 4_000

interface Live extends Invocation {
  readonly ending: AbortController
  /** Woken by progress and by the end. */
  readonly listeners: Set<() => void>
  waiters: number
  /** Of its result, as JSON. */
  size: number
  lapse: NodeJS.Timeout | undefined
}

export function openInvocations({ unattendedMs, keptMs }: typeof times = times): Invocations {
  const known = new Map<string, Live>()

  function begin(about: Begun, carryOut: CarryOut): Invocation {
    const running = known.values().filter(({ owner, end }) => owner === about.owner && end === null)
    if (running.toArray().length >= mostRunning) throw failure('tool.busy', { most: mostRunning })
    const live: Live = {
      ...about,
      handle: `inv_${randomBytes(12).toString('base64url')}`,
      startedAtMs: performance.now(),
      approval: null,
      tail: '',
      told: 0,
      end: null,
      ending: new AbortController(),
      listeners: new Set(),
      waiters: 0,
      size: 0,
      lapse: undefined,
    }
    known.set(live.handle, live)
    void carry(live, carryOut)
    leaveAlone(live)
    return live
  }

  async function carry(live: Live, carryOut: CarryOut): Promise<void> {
    const tookMs = () => performance.now() - live.startedAtMs
    try {
      const result = await carryOut(live.ending.signal, (value) => note(live, value))
      live.size = JSON.stringify(result ?? null).length
      live.end = { result, tookMs: tookMs() }
    } catch (thrown) {
      live.end = { error: asMusterError(thrown), tookMs: tookMs() }
    }
    live.approval = null
    wake(live)
    if (live.waiters === 0) leaveAlone(live)
    forgetOldest()
  }

  /** Until somebody asks for it, or it has been alone for too long. */
  function leaveAlone(live: Live): void {
    clearTimeout(live.lapse)
    const over = live.end === null ? () => end(live) : () => known.delete(live.handle)
    live.lapse = setTimeout(over, live.end === null ? unattendedMs : keptMs)
    // A process that has nothing else to do is not kept by what nobody waits for.
    live.lapse.unref()
  }

  /** Results take room: the oldest go first, and what goes on is never forgotten. */
  function forgetOldest(): void {
    const ended = [...known.values()].filter((live) => live.end !== null && live.waiters === 0)
    let count = ended.length
    let size = ended.reduce((sum, live) => sum + live.size, 0)
    for (const live of ended) {
      if (count <= mostEnded && size <= mostKeptCharacters) return
      clearTimeout(live.lapse)
      known.delete(live.handle)
      count--
      size -= live.size
    }
  }

  function end(live: Live): void {
    live.ending.abort(failure('call.cancelled'))
  }

  async function wait(invocation: Invocation, { ms, signal, onNews }: Waiting): Promise<void> {
    const live = invocation as Live
    const before = live.approval?.id
    const over = Promise.withResolvers<void>()
    const look = () => {
      onNews?.(live)
      if (live.end !== null || (live.approval !== null && live.approval.id !== before)) over.resolve()
    }
    const leave = () => {
      if (live.waiters === 1) end(live)
      over.reject(signal.reason)
    }
    const timer = setTimeout(over.resolve, ms)
    clearTimeout(live.lapse)
    live.waiters++
    live.listeners.add(look)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    else if (live.end !== null) over.resolve()
    try {
      await over.promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', leave)
      live.listeners.delete(look)
      live.waiters--
      if (live.waiters === 0) leaveAlone(live)
    }
  }

  return {
    begin,
    find(owner, handle) {
      const live = known.get(handle)
      // The same words for both: whose it is, is nobody else's business.
      if (live?.owner !== owner) throw failure('tool.handle_unknown', { handle })
      return live
    },
    wait,
    cancel: (invocation) => end(invocation as Live),
    close(reason) {
      for (const live of known.values()) {
        clearTimeout(live.lapse)
        live.ending.abort(reason)
      }
      known.clear()
    },
  }
}

/** What a host says that waits for a person. It becomes part of what that person is told to type, so it is nothing else. */
const AskedFor = z.object({ approval: ApprovalId, expiresAt: Time.nullable().catch(null) })

function note(live: Live, value: unknown): void {
  const { stream, text } = (value ?? {}) as Record<string, unknown>
  const asked = AskedFor.safeParse(value)
  if (asked.success) {
    live.approval = { id: asked.data.approval, expiresAt: asked.data.expiresAt }
  } else {
    const said = typeof stream === 'string' && typeof text === 'string' ? text : `${JSON.stringify(value)}\n`
    live.told += said.length
    live.tail = (live.tail + said).slice(-tailLength)
    live.approval = null
  }
  wake(live)
}

function wake({ listeners }: Live): void {
  for (const listener of listeners) listener()
}
