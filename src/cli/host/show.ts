// `muster host show`. What is not known is said to be unknown.

import { type HostDetail, showHost as showHostOperation } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'
import { activeRuns, showLabels, showStatus } from './list.ts'

export const showHost: Action<unknown, [string]> = async (terminal, _options, host) => {
  const ref = hostRef(host)
  using client = connect(terminal)
  const found = await client.hub.call(showHostOperation, { host: ref })
  return { json: found, text: describe(found) }
}

const unknown = 'unknown'

function describe(host: HostDetail): string {
  const { info } = host
  return showFields({
    host: host.name,
    id: host.id,
    label: host.label,
    connector: host.connector,
    secret: host.secret,
    labels: showLabels(host.labels) || 'none',
    'trusted with': host.trust.join(', ') || 'nothing',
    status: showStatus(host),
    since: when(host.since),
    why: host.reason ?? host.probe?.problem,
    'last seen': when(host.lastSeenAt) ?? 'never',
    machine: info ? `${info.hostname}, ${info.platform} ${info.arch}` : unknown,
    version: describeVersion(host),
    cores: number(info?.cores),
    memory: info?.memoryBytes ? `${(info.memoryBytes / 2 ** 30).toFixed(1)} GiB` : unknown,
    booted: when(info?.bootedAt) ?? unknown,
    'clock offset': describeOffset(host.clockOffsetMs),
    backends: info?.backends ? info.backends.join(', ') || 'none' : unknown,
    carries: info ? info.kinds.join(', ') || 'nothing' : unknown,
    allows: info ? info.allows.join(', ') || 'nothing' : unknown,
    catalog: info?.catalogSize === undefined || info.catalogSize === null ? unknown : `${info.catalogSize} entries`,
    'active runs': describeActive(host),
  })
}

function number(count: number | null | undefined): string {
  return count?.toString() ?? unknown
}

function when(time: string | null | undefined): string | null {
  return time ? `${time} (${showAgo(time)})` : null
}

function describeVersion({ info, versionSkew }: HostDetail): string {
  if (!info) return unknown
  const beside = { same: '', older: ', older than this hub', newer: ', newer than this hub', other: ', not that of this hub' }
  return `Muster ${info.version}, protocol ${info.protocol}${versionSkew === null ? '' : beside[versionSkew]}`
}

function describeOffset(ms: number | null): string {
  if (ms === null) return unknown
  return ms === 0 ? '0 ms' : `${Math.abs(ms)} ms ${ms > 0 ? 'ahead of' : 'behind'} this hub`
}

/** What a host said before it went away is no answer, but better than nothing. */
function describeActive(host: HostDetail): string {
  const last = host.info?.activeRuns ?? null
  const now = activeRuns(host)
  if (now !== null || last === null) return number(now)
  return `unknown (${last} when it was last asked)`
}
