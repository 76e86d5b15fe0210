// `muster host trust`: adds to what this hub may begin on a host, takes away, or shows it.

import { type HostRow, showHost, trustHost as trustHostOperation } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

interface TrustOptions {
  readonly add?: string[]
  readonly remove?: string[]
}

export const trustHost: Action<TrustOptions, [string]> = async (terminal, { add, remove }, host) => {
  const input = { host: hostRef(host), ...(add && { add }), ...(remove && { remove }) }
  using client = connect(terminal)
  const row: HostRow =
    add || remove ? await client.hub.call(trustHostOperation, input) : await client.hub.call(showHost, { host: input.host })
  return { json: row, text: row.trust.join('\n') }
}
