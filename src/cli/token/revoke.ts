// `muster token revoke`.

import { listTokens, revokeToken } from '../../contract/token.ts'
import { check } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'

export const revoke: Action<unknown, [string]> = async (terminal, _options, token) => {
  const id = check(revokeToken.input.shape.token, token, "The token's id", '`muster token list` shows the ids.')
  using client = connect(terminal)
  const { tokens } = await client.hub.call(listTokens, {})
  const row = await client.hub.call(revokeToken, { token: id })
  const minted = tokens.filter((one) => one.createdBy === row.id && one.revokedAt === null && one.id !== row.id)
  for (const one of minted) {
    terminal.say(`It has minted ${printable(one.name)} (${one.role}), which goes on: \`muster token revoke ${one.id}\``)
  }
  return { json: row, text: `revoked: ${printable(row.name)} (${row.id})` }
}
