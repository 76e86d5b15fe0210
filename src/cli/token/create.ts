// `muster token create`.

import { createToken, TokenRow } from '../../contract/token.ts'
import { check } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'

const TokenInput = createToken.input.shape

export const create: Action<{ readonly role?: string; readonly expires?: number }, [string]> = async (
  terminal,
  options,
  name,
) => {
  const input = {
    name: check(
      TokenInput.name,
      name,
      "The token's name",
      'A name has 1 to 128 characters; control characters are none of them.',
    ),
    role: TokenRow.shape.role.parse(options.role ?? 'viewer'),
    ...(options.expires !== undefined && { expiresInMs: options.expires }),
  }
  using client = connect(terminal)
  const token = await client.hub.call(createToken, input)
  const until = token.expiresAt === null ? '' : `, until ${token.expiresAt}`
  terminal.say(
    `Token ${token.id} of ${printable(token.name)} (${token.role}${until}). It is shown this once; give it as MUSTER_TOKEN.`,
  )
  return { json: token, text: token.token }
}
