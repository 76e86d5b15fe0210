// `muster token list`.

import { listTokens, type TokenRow } from '../../contract/token.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { type Column, showTable } from '../table.ts'

export const list: Action<unknown, []> = async (terminal) => {
  using client = connect(terminal)
  const found = await client.hub.call(listTokens, {})
  return { json: found, text: found.tokens.length === 0 ? 'No tokens.' : showTable(columns, found.tokens, terminal) }
}

const columns: readonly Column<TokenRow>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'CREATED', cell: ({ createdAt }) => showAgo(createdAt) },
  { title: 'LAST USED', cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : showAgo(lastUsedAt)) },
  { title: 'REVOKED', cell: ({ revokedAt }) => (revokedAt === null ? '' : showAgo(revokedAt)) },
]
