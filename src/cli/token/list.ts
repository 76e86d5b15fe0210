// `muster token list`.

import { listTokens, type TokenRow } from '../../contract/token.ts'
import { showAgo, showDuration } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showPerson } from '../show-person.ts'
import { type Column, showTable } from '../table.ts'

export const list: Action<unknown, []> = async (terminal) => {
  using client = connect(terminal)
  const found = await client.hub.call(listTokens, {})
  return {
    json: found,
    text: found.tokens.length === 0 ? 'No tokens.' : showTable(columnsWith(namesOf(found.tokens)), found.tokens, terminal),
  }
}

const namesOf = (tokens: readonly TokenRow[]): ReadonlyMap<string, string> => new Map(tokens.map(({ id, name }) => [id, name]))

const columnsWith = (names: ReadonlyMap<string, string>): readonly Column<TokenRow>[] => [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'CREATED', cell: ({ createdAt }) => showAgo(createdAt) },
  { title: 'BY', cell: ({ createdBy }) => (createdBy === null ? '' : showPerson(createdBy, names.get(createdBy))) },
  { title: 'LAST USED', cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : showAgo(lastUsedAt)) },
  { title: 'GOOD', cell: goodFor },
]

function goodFor({ revokedAt, expiresAt }: TokenRow): string {
  if (revokedAt !== null) return `revoked ${showAgo(revokedAt)}`
  if (expiresAt === null) return 'until revoked'
  const leftMs = Date.parse(expiresAt) - Date.now()
  return leftMs <= 0 ? `expired ${showAgo(expiresAt)}` : `for ${showDuration(leftMs)}`
}
