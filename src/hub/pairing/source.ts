// Which addresses count as one source: whoever has a line has a whole IPv6 network of them.

import { BlockList, isIPv6 } from 'node:net'

const mapped = new BlockList()
mapped.addSubnet('::ffff:0:0', 96, 'ipv6')

/** An IPv4 address as it is, also where it is written as IPv6; of an IPv6 address its first 64 bits. */
export function sourceOf(address: string): string {
  const plain = address.split('%', 1)[0] as string
  if (!isIPv6(plain)) return plain
  if (mapped.check(plain, 'ipv6')) return plain.slice(plain.lastIndexOf(':') + 1)
  return `${groupsOf(plain).slice(0, 4).join(':')}::/64`
}

function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
}
