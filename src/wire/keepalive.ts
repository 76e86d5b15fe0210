// Sees that the other side is there: pings when it is silent, and says so when it has been silent, or has taken nothing, for too long.
// One timer a connection, ended by `stop`; it keeps no process alive.

import type { Limits } from './limits.ts'

export interface Keepalive {
  /** A frame came. */
  heard(): void
  stop(): void
}

export interface KeepaliveOptions {
  readonly limits: Pick<Limits, 'keepaliveMs' | 'deadMs'>
  readonly ping: () => void
  /** What is queued, and a count that grows as the system takes it. */
  readonly writes: { readonly bufferedBytes: number; readonly takenBytes: number }
  readonly onDead: (problem: string) => void
}

export function startKeepalive({ limits: { keepaliveMs, deadMs }, ping, writes, onDead }: KeepaliveOptions): Keepalive {
  const everyMs = Math.max(1, Math.min(keepaliveMs, deadMs) / 3)
  let lookedAt = performance.now()
  let heardAt = lookedAt
  let movedAt = lookedAt
  let taken = writes.takenBytes

  const timer = setInterval(look, everyMs).unref()

  function look(): void {
    const now = performance.now()
    forgiveStandstill(now)
    if (writes.bufferedBytes === 0 || writes.takenBytes > taken) {
      taken = writes.takenBytes
      movedAt = now
    }
    if (now - heardAt >= deadMs) return onDead(`it has sent nothing for ${deadMs} ms`)
    if (now - movedAt >= deadMs) return onDead(`it has read nothing for ${deadMs} ms`)
    // Before it would be silent for longer: what lies between lets go of a connection on which nothing is said.
    if (now - heardAt + everyMs > keepaliveMs) ping()
  }

  /** Time in which this process itself stood still (stopped, suspended, starved) says nothing about the other side. */
  function forgiveStandstill(now: number): void {
    const lateMs = now - lookedAt - everyMs
    lookedAt = now
    if (lateMs < everyMs) return
    heardAt += lateMs
    movedAt += lateMs
  }

  return {
    heard() {
      heardAt = performance.now()
    },
    stop() {
      clearInterval(timer)
    },
  }
}
