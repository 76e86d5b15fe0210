// `muster pairing reject`.

import { rejectPairing } from '../../contract/pairing.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { whom } from './whom.ts'

export const reject: Action<unknown, [string]> = async (terminal, _options, text) => {
  const who = whom(text)
  using client = connect(terminal)
  const rejected = await client.hub.call(rejectPairing, who)
  return { json: rejected, text: `rejected: ${printable(rejected.name)} (${rejected.rejected})` }
}
