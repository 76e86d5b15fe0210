// `muster host list`.

import { type HostRow, listHosts as listHostsOperation } from '../../contract/host.ts'
import { paint } from '../color.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { type Column, showTable } from '../table.ts'

export const listHosts: Action<{ readonly probe?: true }, []> = async (terminal, { probe = false }) => {
  using client = connect(terminal)
  const found = await client.hub.call(listHostsOperation, { probe })
  for (const { file, problem } of found.corrupt)
    terminal.say(`The host record ${printable(file)} is not as it should be: ${printable(problem)}.`)
  return { json: found, text: showTable(columns, found.hosts, terminal) }
}

const columns: readonly Column<HostRow>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'LABEL', cell: ({ label }) => label },
  { title: 'STATUS', cell: showStatus, paint: (text, row) => paint(isWell(row) ? 'green' : 'yellow', text) },
  { title: 'VERSION', cell: showVersion },
  { title: 'ACTIVE', cell: (row) => activeRuns(row)?.toString() ?? 'unknown' },
  { title: 'LABELS', cell: ({ labels }) => showLabels(labels) },
]

export function showStatus(row: HostRow): string {
  const { status, since, probe } = row
  if (status === 'never_seen') return 'never seen'
  if (status === 'online' && probe && !probe.answered) return 'online, no answer'
  if (status === 'online' && probe) return `online, ${probe.roundTripMs} ms`
  return since === null || status === 'online' ? status : `${status}, ${showAgo(since)}`
}

function isWell({ status, probe }: HostRow): boolean {
  return status === 'online' && probe?.answered !== false
}

/** With what sets it apart from the hub's own. */
export function showVersion({ info, versionSkew }: HostRow): string {
  if (!info) return 'unknown'
  return versionSkew === 'same' || versionSkew === null ? info.version : `${info.version} (${skews[versionSkew]})`
}

const skews = { older: 'older', newer: 'newer', other: 'another' } as const

/** Of a host that cannot be asked, nobody knows. */
export function activeRuns(row: HostRow): number | null {
  return isWell(row) ? (row.info?.activeRuns ?? null) : null
}

export function showLabels(labels: HostRow['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
