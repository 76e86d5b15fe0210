// Refuses requests that a foreign web page makes through a browser: a name rebound to our address shows in Host,
// another site's page shows in Origin. Used for every request and WebSocket that comes over TCP.

import type { IncomingMessage } from 'node:http'
import { failure } from '../contract/errors.ts'
import { isLoopback, plainAddress } from '../wire/loopback.ts'

interface Authority {
  readonly name: string
  readonly port: number
}

/** Throws `auth.origin` unless Host, and Origin where there is one, name this hub. */
export type CheckOrigin = (request: Pick<IncomingMessage, 'headers' | 'socket'>) => void

/** `allowHosts`: further names, `name` for any port (a proxy's) or `name:port` for that one. */
export function originCheck({ bindHost, allowHosts }: { bindHost: string; allowHosts: readonly string[] }): CheckOrigin {
  const allowed = allowHosts.map((entry) => readAuthority(entry, 0)).filter((entry) => entry !== undefined)

  return ({ headers, socket }) => {
    const isOurs = (authority: Authority | undefined) =>
      authority !== undefined &&
      ((authority.port === socket.localPort && isOwnName(authority.name, socket.localAddress)) ||
        allowed.some(({ name, port }) => name === authority.name && (port === 0 || port === authority.port)))

    const host = headers.host ?? ''
    const named = readAuthority(host, 80)
    // Loopback names are ours at any port: a forwarded port is another one, and no foreign name can be rebound to them.
    if (!isOurs(named) && !(named && isLoopback(named.name))) throw failure('auth.origin', { header: 'Host', value: host })
    const { origin } = headers
    if (origin === undefined) return
    const page = readOrigin(origin)
    const samePlace = page?.name === named?.name && page?.port === named?.port
    if (!samePlace && !isOurs(page)) throw failure('auth.origin', { header: 'Origin', value: origin })
  }

  // The address that the connection came in on is ours by nature: it matters where the hub listens on all of them.
  function isOwnName(name: string, localAddress = ''): boolean {
    return isLoopback(name) || name === plainAddress(bindHost) || name === plainAddress(localAddress)
  }
}

function readAuthority(text: string, defaultPort: number): Authority | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:/@?#\\\s]+)(?::(\d{1,5}))?$/i.exec(text)
  if (!match) return undefined
  return { name: plainAddress(match[1] as string), port: match[2] === undefined ? defaultPort : Number(match[2]) }
}

function readOrigin(text: string): Authority | undefined {
  const match = /^(https?):\/\/(.+)$/i.exec(text)
  return match ? readAuthority(match[2] as string, match[1]?.toLowerCase() === 'https' ? 443 : 80) : undefined
}
