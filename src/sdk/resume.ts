// Takes up a broken read where it stood: waits between attempts, longer each time, and gives up in the end.
// Only reads may be resumed: what a call did before its connection broke is not known.

import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../contract/errors.ts'

/** The way to the hub is broken, or the hub's way to the host. */
const broken = ['wire.closed', 'hub.not_running', 'host.offline'] as const
const baseMs = 100
const maxMs = 5_000
const healthyMs = 5_000
/** A hub that is restarted is back by then; one that is not is told as missing. */
const giveUpMs = 60_000

export interface ResumePolicy {
  /** Infinity for a reader who stays for as long as it wants. */
  readonly giveUpMs?: number
  readonly random?: () => number
}

/**
 * Reads until `read` ends by itself. `read` is called again after its connection broke; it says when it is connected.
 * A first attempt that never connected is not repeated. Waiting begins anew after an attempt that brought a value or
 * lasted a while. Errors of the hub itself are thrown.
 */
export async function* resumed<T>(
  read: (connected: () => void) => AsyncIterable<T>,
  signal: AbortSignal,
  { giveUpMs: limitMs = giveUpMs, random = Math.random }: ResumePolicy = {},
): AsyncGenerator<T> {
  let everConnected = false
  let failures = 0
  let brokenAt = 0
  for (;;) {
    let connectedAt = Number.POSITIVE_INFINITY
    let gotOn = false
    try {
      for await (const value of read(() => {
        connectedAt = performance.now()
      })) {
        gotOn = true
        yield value
      }
      return
    } catch (error) {
      const now = performance.now()
      everConnected ||= connectedAt <= now
      if (!broken.some((code) => hasCode(error, code)) || !everConnected || signal.aborted) throw error
      if (gotOn || now - connectedAt >= healthyMs) failures = 0
      if (failures === 0) brokenAt = now
      const waitMs = random() * Math.min(maxMs, baseMs * 2 ** failures++)
      if (now + waitMs - brokenAt > limitMs) throw error
      await delay(waitMs, undefined, { signal }).catch(() => {
        throw signal.reason
      })
    }
  }
}
