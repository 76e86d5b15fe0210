// Which addresses only this machine can reach: for whoever decides where a hub may listen, and where a secret may be sent.

import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether an address or host name, as written in `--bind` or a URL, is this machine's own and nobody else's. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  const family = isIP(plain)
  if (family === 0) return plain === 'localhost'
  return loopback.check(plain, family === 4 ? 'ipv4' : 'ipv6')
}

/** One spelling for each: lower case, no brackets, no final dot, an IPv4 address inside IPv6 as IPv4. */
export function plainAddress(address: string): string {
  return address
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '')
}
