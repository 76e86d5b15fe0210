// `muster pairing list`.

import { listPairings, type PairingRow } from '../../contract/pairing.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { type Column, showTable } from '../table.ts'

export const list: Action<unknown, []> = async (terminal) => {
  using client = connect(terminal)
  const found = await client.hub.call(listPairings, {})
  if (found.pairings.length === 0) return { json: found, text: 'Nobody waits.' }
  for (const row of found.pairings) {
    if (row.nameTaken) terminal.say('A name is taken: approve that machine with `muster pairing approve CODE --name OTHER`.')
  }
  return { json: found, text: showTable(columns, found.pairings, terminal) }
}

const columns: readonly Column<PairingRow>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name, nameTaken }) => (nameTaken ? `${name} (taken)` : name) },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'ADDRESS', cell: ({ address }) => address ?? '' },
  { title: 'PLATFORM', cell: ({ platform }) => platform ?? '' },
  { title: 'SINCE', cell: ({ since }) => showAgo(since) },
  { title: 'EXPIRES', cell: ({ expiresAt }) => (expiresAt === null ? '' : showLeft(expiresAt)) },
  { title: 'ASKS FOR', cell: ({ asks }) => asks.join(', ') || 'nothing' },
]

function showLeft(at: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(at) - Date.now()) / 1000))
  return seconds < 60 ? `in ${seconds} s` : `in ${Math.round(seconds / 60)} min`
}
