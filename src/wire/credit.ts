// Credit: how far a stream may run ahead of its reader. The sender spends it, the receiver grants it back as its reader takes.
// Both ends count alike, so that a sender that spends what it does not have is caught at once. Nothing here sends or waits.

import { failure } from '../contract/errors.ts'

/** What a DATA or ITEM frame costs on top of its payload: what it costs to keep one, however small. */
export const frameCharge = 128

export function costOf(payloadBytes: number): number {
  return payloadBytes + frameCharge
}

/** The sender's end. DATA must fit in what is left; an ITEM, which cannot be split, may be sent while anything is left. */
export interface SendCredit {
  readonly left: number
  spend(cost: number): void
  /** Throws `wire.protocol` for more than was spent. */
  grant(bytes: number): void
}

export function sendCredit(window: number): SendCredit {
  let left = window
  return {
    get left() {
      return left
    },
    spend(cost) {
      left -= cost
    },
    grant(bytes) {
      if (left + bytes > window) throw failure('wire.protocol', { problem: 'it granted more credit than was spent' })
      left += bytes
    },
  }
}

/** The receiver's end: `unread` is what was received and not granted back, so never more than a window (and one item). */
export interface ReceiveCredit {
  readonly unread: number
  /** Counts what came. Throws `wire.protocol` for what the sender had no credit for. */
  receive(cost: number, kind: 'data' | 'item'): void
  /** Counts what the reader took; answers what to grant now: nothing until it is worth a frame. */
  take(cost: number): number
}

export function receiveCredit(window: number): ReceiveCredit {
  let unread = 0
  let owed = 0
  return {
    get unread() {
      return unread
    },
    receive(cost, kind) {
      const allowed = kind === 'item' ? unread < window : unread + cost <= window
      if (!allowed) throw failure('wire.protocol', { problem: 'it sent more of a stream than it had credit for' })
      unread += cost
    },
    take(cost) {
      owed += cost
      // The sender never needs more than half a window at once, so withholding less than a quarter cannot stop it.
      if (owed < window / 4) return 0
      const granted = owed
      unread -= granted
      owed = 0
      return granted
    },
  }
}
