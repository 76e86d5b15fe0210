// `muster token revoke`.

import { revokeToken } from '../../contract/token.ts'
import { check } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'

export const revoke: Action<unknown, [string]> = async (terminal, _options, token) => {
  const id = check(revokeToken.input.shape.token, token, "The token's id", '`muster token list` shows the ids.')
  using client = connect(terminal)
  const row = await client.hub.call(revokeToken, { token: id })
  for (const one of row.minted) terminal.say(`And what it has minted: ${printable(one.name)} (${one.role}, ${one.id})`)
  return { json: row, text: `revoked: ${printable(row.name)} (${row.id})` }
}
