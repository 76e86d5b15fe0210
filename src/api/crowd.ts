// Counts a server's connections. Those beyond its share are answered `process.descriptors` and closed, so that a flood costs the
// hub neither its store nor its runs. Used once for TCP and once for the local socket.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { failure } from '../contract/errors.ts'

export interface Crowd {
  /** Throws `process.descriptors` for a connection beyond the share. */
  admit(socket: Socket): void
}

/** One that is refused and asks nothing has this long to hear so. */
const refusedMs = 1_000
const logEveryMs = 60_000

export function limitConnections(server: Server, share: number, log: Logger): Crowd {
  const refused = new WeakSet<Socket>()
  let open = 0
  let loggedAt = -Infinity
  // Beyond this they are not even told; otherwise those that wait to be told would use up the rest.
  if (Number.isFinite(share)) server.maxConnections = share + Math.floor(share / 4)
  server.on('drop', note)
  server.on('connection', (socket) => {
    open++
    socket.once('close', () => open--)
    if (open <= share) return
    refused.add(socket)
    const late = setTimeout(() => socket.destroy(), refusedMs)
    socket.once('close', () => clearTimeout(late))
    note()
  })

  function note(): void {
    if (performance.now() - loggedAt < logEveryMs) return
    loggedAt = performance.now()
    log.warn(
      { connections: open },
      'connections are refused, to keep file descriptors for runs; a higher `ulimit -n` allows more',
    )
  }

  return {
    admit(socket) {
      if (refused.has(socket)) throw failure('process.descriptors', { problem: `${share} connections` })
    },
  }
}
