// `muster host list`.

import { type HostRow, listHosts as listHostsOperation } from '../../contract/host.ts'
import { paint } from '../color.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { type Column, showTable } from '../table.ts'

export const listHosts: Action<unknown, []> = async (terminal) => {
  using client = connect(terminal)
  const found = await client.hub.call(listHostsOperation, {})
  for (const { file, problem } of found.corrupt)
    terminal.say(`The host record ${file} cannot be read: ${problem}. Mend or delete it.`)
  return { json: found, text: showTable(columns, found.hosts, terminal) }
}

const columns: readonly Column<HostRow>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'LABEL', cell: ({ label }) => label },
  { title: 'STATUS', cell: showStatus, paint: (text, { status }) => paint(status === 'online' ? 'green' : 'yellow', text) },
  { title: 'LABELS', cell: ({ labels }) => showLabels(labels) },
]

export function showStatus({ status, since }: HostRow): string {
  if (status === 'never_seen') return 'never seen'
  return since === null || status === 'online' ? status : `${status}, ${showAgo(since)}`
}

export function showLabels(labels: HostRow['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
