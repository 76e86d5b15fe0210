// `muster approval list`.

import { type FleetApproval, listApprovals } from '../../contract/approval.ts'
import { hostRef } from '../arguments.ts'
import { showAgo, showDuration } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showPerson } from '../show-person.ts'
import { type Column, showTable } from '../table.ts'

interface ListOptions {
  readonly all?: true
  readonly host?: string
}

export const list: Action<ListOptions, []> = async (terminal, { all, host }) => {
  const wanted = {
    ...(all && { all }),
    ...(host !== undefined && { host: hostRef(host) }),
  }
  using client = connect(terminal)
  const found = await client.hub.call(listApprovals, wanted)
  const { approvals } = found
  return {
    json: found,
    text:
      approvals.length === 0 ? (all ? 'No approvals.' : 'Nothing waits for an answer.') : showTable(columns, approvals, terminal),
  }
}

const columns: readonly Column<FleetApproval>[] = [
  { title: 'APPROVAL', cell: ({ id }) => id },
  { title: 'HOST', cell: ({ host }) => host },
  { title: 'COMMAND', cell: ({ asked }) => asked.command },
  { title: 'WHO ASKS', cell: ({ asked, askerName }) => (asked.asker === null ? 'the hub' : showPerson(asked.asker, askerName)) },
  { title: 'ASKED', cell: ({ createdAt }) => showAgo(createdAt) },
  { title: 'STATE', cell: stateOf },
  { title: 'REASON', cell: ({ reason }) => reason ?? '' },
]

export function stateOf({ state, expiresAt }: FleetApproval, now = Date.now()): string {
  if (state !== 'pending') return state
  return `pending, ${showDuration(Math.max(0, Date.parse(expiresAt) - now))} left`
}
