// `muster host rename`.

import { renameHost as renameHostOperation } from '../../contract/host.ts'
import { hostName, hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

export const renameHost: Action<unknown, [string, string]> = async (terminal, _options, host, to) => {
  const input = { host: hostRef(host), name: hostName(to) }
  using client = connect(terminal)
  const renamed = await client.hub.call(renameHostOperation, input)
  return { json: renamed, text: `renamed: ${renamed.name} (${renamed.id})` }
}
