// Equal outputs shown once, with the hosts that gave them.

import type { Capture } from './capture.ts'
import type { HostResult } from './host-result.ts'

/** Each different output once, the one with most hosts first, under a line that names them. */
export function foldOutputs(results: readonly HostResult[]): Buffer {
  const groups = new Map<string, { hosts: string[]; text: Buffer }>()
  for (const { host, output } of results) {
    if (!output) continue
    const text = Buffer.concat([shown(output.stdout), shown(output.stderr)])
    const key = text.toString('latin1')
    const group = groups.get(key)
    if (group) group.hosts.push(host)
    else groups.set(key, { hosts: [host], text })
  }
  const ordered = [...groups.values()].sort((a, b) => b.hosts.length - a.hosts.length)
  return Buffer.concat(ordered.flatMap(({ hosts, text }) => [heading(hosts), text]))
}

function heading(hosts: readonly string[]): Buffer {
  return Buffer.from(`== ${hosts.join(', ')} (${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'})\n`)
}

/** What was kept, ending in a newline if it is not empty. */
function shown({ kept }: Capture): Buffer {
  const { bytes, total } = kept()
  const cut = bytes.length < total ? `\n(${total - bytes.length} more bytes: muster run logs)` : ''
  const text = Buffer.concat([bytes, Buffer.from(cut)])
  return text.length === 0 || text.at(-1) === 0x0a ? text : Buffer.concat([text, Buffer.from('\n')])
}
