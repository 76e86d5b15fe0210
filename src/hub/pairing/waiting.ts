// The machines that wait to be let in: bounded in number and time, each with a code of its own that counts once.
//
//   waiting ──▶ deciding ──▶ approved | rejected      a person; a decision that fails puts it back
//      └──────▶ expired | void | gone                 its time; wrong codes; its connection
//
// Kept in memory alone: who waits is a connection, and ends with it. Used by the hub's pairing; it knows no host and no store.

import { timingSafeEqual } from 'node:crypto'
import { ulid } from 'ulidx'
import { failure, type MusterError } from '../../contract/errors.ts'
import type { Asking, Place } from '../../wire/pairing.ts'
import { limitTries } from '../tries.ts'
import { sourceOf } from './source.ts'

export interface Limits {
  /** How long one waits. */
  readonly lifeMs: number
  readonly most: number
  readonly mostOfOneSource: number
  /** Wrong codes that may be typed while one waits, before its own counts no longer. */
  readonly wrongCodes: number
  /** Wrong codes a minute, whoever waits. */
  readonly wrongCodesAMinute: number
  /** Machines that begin to wait, a minute: each is one try for who stands between a machine and its hub. */
  readonly newAMinute: number
  readonly newOfOneSourceAMinute: number
}

const defaultLimits: Limits = {
  lifeMs: 5 * 60_000,
  most: 10,
  mostOfOneSource: 3,
  wrongCodes: 5,
  wrongCodesAMinute: 10,
  newAMinute: 10,
  newOfOneSourceAMinute: 5,
}

export type Ending = 'approved' | 'rejected' | 'expired' | 'void' | 'gone'

/** One machine that waits. */
export interface WaitingMachine extends Omit<Asking, 'code'> {
  readonly id: string
  readonly address: string
  /** ISO 8601. */
  readonly since: string
  readonly expiresAt: string
  readonly triesLeft: number
}

/** A machine that was taken out to be decided about. One of these is to be called. */
export interface Taken {
  readonly machine: WaitingMachine
  approve(welcome: unknown): void
  reject(): void
  /** Nothing was decided: it waits on. */
  putBack(): void
}

export interface WaitingMachines {
  /** Gives a place, or throws `pairing.crowded`, or `wire.overloaded` where its code is another's, so that it asks anew. */
  enter(asking: Asking, address: string): Place
  all(): WaitingMachine[]
  /** By the code that it shows. Throws `pairing.code_wrong`, `pairing.locked`, `pairing.decided`. */
  takeByCode(code: string): Taken
  /** By its id in the list. Throws `pairing.decided`. */
  takeById(id: string): Taken
  close(reason: MusterError): void
}

export interface WaitingOf {
  readonly limits?: Partial<Limits>
  readonly onEnter?: (machine: WaitingMachine) => void
  readonly onEnd?: (machine: WaitingMachine, ending: Ending) => void
  /** A clock that nobody sets, in milliseconds. */
  readonly now?: () => number
}

interface Entry {
  readonly machine: WaitingMachine
  readonly code: Buffer
  readonly source: string
  wrong: number
  deciding: boolean
  /** Its time is over or its connection gone, while it was being decided about. */
  over: Ending | undefined
  readonly end: (ending: Ending, tell: (decide: PromiseWithResolvers<unknown>) => void) => void
}

const minuteMs = 60_000
/** So many decisions are remembered, to say of a code that comes twice that it has been used. */
const mostRemembered = 32

export function openWaiting({ limits: given, onEnter, onEnd, now = () => performance.now() }: WaitingOf = {}): WaitingMachines {
  const limits = { ...defaultLimits, ...given }
  const entries = new Set<Entry>()
  const wrongCodes = limitTries({ windowMs: minuteMs, most: limits.wrongCodesAMinute, now })
  const newcomers = limitTries({ windowMs: minuteMs, most: limits.newAMinute, mostOfOne: limits.newOfOneSourceAMinute, now })
  const remembered: { readonly id: string; readonly code: Buffer; readonly ending: Ending }[] = []

  function enter({ code, ...asking }: Asking, address: string): Place {
    const source = sourceOf(address)
    refuseCrowd(source)
    newcomers.note(source)
    const digits = Buffer.from(code)
    // Two that show the same could not be told apart by it.
    if ([...entries].some((entry) => timingSafeEqual(entry.code, digits)))
      throw failure('wire.overloaded', { pending: entries.size })
    const since = Date.now()
    const decision = Promise.withResolvers<unknown>()
    // Whoever waits for it may have gone first.
    decision.promise.catch(() => undefined)
    const timer = setTimeout(() => leave('expired'), limits.lifeMs)
    const entry: Entry = {
      machine: {
        ...asking,
        id: `pair_${ulid()}`,
        address,
        since: new Date(since).toISOString(),
        expiresAt: new Date(since + limits.lifeMs).toISOString(),
        get triesLeft() {
          return limits.wrongCodes - entry.wrong
        },
      },
      code: digits,
      source,
      wrong: 0,
      deciding: false,
      over: undefined,
      end(ending, tell) {
        if (!entries.delete(entry)) return
        clearTimeout(timer)
        remembered.push({ id: entry.machine.id, code: digits, ending })
        if (remembered.length > mostRemembered) remembered.shift()
        tell(decision)
        onEnd?.(entry.machine, ending)
      },
    }
    function leave(ending: Ending): void {
      if (entry.deciding) entry.over ??= ending
      else endUndecided(entry, ending)
    }
    entries.add(entry)
    onEnter?.(entry.machine)
    return { expiresInMs: limits.lifeMs, decided: decision.promise, leave: () => leave('gone') }
  }

  function refuseCrowd(source: string): void {
    const ofSource = [...entries].filter((entry) => entry.source === source).length
    if (ofSource >= limits.mostOfOneSource) throw crowded(`${ofSource} machines at this address wait already`)
    if (entries.size >= limits.most) throw crowded(`${entries.size} machines wait already`)
    if (newcomers.waitMs(source) > 0) throw crowded('too many have asked within a minute')
  }

  function endUndecided(entry: Entry, ending: Ending): void {
    entry.end(ending, ({ reject }) => reject(reasonOf(ending)))
  }

  function reasonOf(ending: Ending): MusterError {
    if (ending === 'rejected') return failure('pairing.rejected')
    if (ending === 'void') return failure('pairing.void', { tries: limits.wrongCodes })
    if (ending === 'expired') return failure('pairing.expired', { minutes: Math.round(limits.lifeMs / minuteMs) })
    return failure('wire.closed', { reason: 'it waits no more' })
  }

  function takeByCode(code: string): Taken {
    const lockedMs = wrongCodes.waitMs()
    if (lockedMs > 0) throw failure('pairing.locked', { seconds: Math.ceil(lockedMs / 1000) })
    const typed = Buffer.from(code)
    const found = theOne(entries, typed)
    if (found) return take(found)
    const former = theOne(remembered, typed)
    if (former?.ending === 'approved' || former?.ending === 'rejected') throw decided(former.ending)
    wrongCodes.note()
    for (const entry of entries) noteWrong(entry)
    throw failure('pairing.code_wrong')
  }

  /** Each is compared, and in constant time, so that how long it takes says nothing of any. */
  function theOne<T extends { readonly code: Buffer }>(among: Iterable<T>, typed: Buffer): T | undefined {
    let found: T | undefined
    for (const one of among) if (typed.length === one.code.length && timingSafeEqual(typed, one.code)) found = one
    return found
  }

  function noteWrong(entry: Entry): void {
    entry.wrong++
    if (entry.wrong >= limits.wrongCodes && !entry.deciding) endUndecided(entry, 'void')
  }

  function takeById(id: string): Taken {
    const found = [...entries].find(({ machine }) => machine.id === id)
    if (found) return take(found)
    throw decided(remembered.find((one) => one.id === id)?.ending ?? 'gone')
  }

  function take(entry: Entry): Taken {
    if (entry.deciding) throw failure('pairing.decided', { how: 'is being decided about' })
    entry.deciding = true
    return {
      machine: entry.machine,
      approve: (welcome) => entry.end('approved', ({ resolve }) => resolve(welcome)),
      reject: () => endUndecided(entry, 'rejected'),
      putBack() {
        entry.deciding = false
        if (entry.over !== undefined) endUndecided(entry, entry.over)
        else if (entry.wrong >= limits.wrongCodes) endUndecided(entry, 'void')
      },
    }
  }

  return {
    enter,
    all: () => [...entries].map(({ machine }) => machine),
    takeByCode,
    takeById,
    close(reason) {
      for (const entry of [...entries]) entry.end('gone', ({ reject }) => reject(reason))
    },
  }
}

const endings: Readonly<Record<Ending, string>> = {
  approved: 'has been let in already',
  rejected: 'has been turned away already',
  expired: 'waits no more: its time is over',
  void: 'waits no more: too many wrong codes were typed',
  gone: 'waits no more',
}

function decided(ending: Ending): MusterError {
  return failure('pairing.decided', { how: endings[ending] })
}

function crowded(problem: string): MusterError {
  return failure('pairing.crowded', { problem })
}
