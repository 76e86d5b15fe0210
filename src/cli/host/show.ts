// `muster host show`.

import { type HostRow, showHost as showHostOperation } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'
import { showLabels, showStatus } from './list.ts'

export const showHost: Action<unknown, [string]> = async (terminal, _options, host) => {
  const ref = hostRef(host)
  using client = connect(terminal)
  const found = await client.hub.call(showHostOperation, { host: ref })
  return { json: found, text: describe(found) }
}

function describe(host: HostRow): string {
  const { info } = host
  const when = (time: string | null | undefined) => (time ? `${time} (${showAgo(time)})` : null)
  return showFields({
    host: host.name,
    id: host.id,
    label: host.label,
    labels: showLabels(host.labels) || null,
    status: showStatus(host),
    since: when(host.since),
    why: host.reason,
    'last seen': when(host.lastSeenAt),
    machine: info && `${info.hostname}, ${info.platform} ${info.arch}`,
    version: info && `Muster ${info.version}, protocol ${info.protocol}`,
    cores: info?.cores?.toString(),
    memory: info?.memoryBytes ? `${(info.memoryBytes / 2 ** 30).toFixed(1)} GiB` : null,
    'active runs': info?.activeRuns?.toString(),
    booted: when(info?.bootedAt),
    carries: info?.kinds.join(', '),
    allows: info && (info.allows.join(', ') || 'nothing'),
  })
}
