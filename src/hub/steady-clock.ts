// The time by which the queue's leases and waiting times run. It starts as the system's and then goes on by itself, so that
// somebody who sets the system's clock ends no claim and no wait. A machine that was suspended has been waiting all the same.

import { uptime } from 'node:os'

export interface SteadyClock {
  /** Milliseconds since the epoch. Never goes back. */
  now(): number
}

export interface Clocks {
  readonly wall: () => number
  /** Goes on evenly while the machine is awake. */
  readonly awake: () => number
  /** Goes on while it sleeps, too; coarser and slower to ask. Undefined where the system has none that nobody can set. */
  readonly sinceBoot: () => number | undefined
}

const lookEveryMs = 1_000

export function steadyClock({ wall, awake, sinceBoot }: Clocks = system): SteadyClock {
  const startedAt = wall() - awake()
  const bootedAt = (sinceBoot() ?? 0) - awake()
  let sleptMs = 0
  let lookedAt = awake()

  return {
    now() {
      const now = awake()
      if (now - lookedAt >= lookEveryMs) {
        lookedAt = now
        const boot = sinceBoot()
        if (boot !== undefined) sleptMs = Math.max(sleptMs, boot - now - bootedAt)
      }
      return startedAt + now + sleptMs
    },
  }
}

const system: Clocks = {
  wall: () => Date.now(),
  awake: () => performance.now(),
  sinceBoot() {
    // Elsewhere it is reckoned from the clock that may be set.
    if (process.platform !== 'linux') return undefined
    try {
      return uptime() * 1000
    } catch {
      return undefined
    }
  },
}
