// `muster host remove`.

import { removeHost as removeHostOperation } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

export const removeHost: Action<{ readonly force?: true }, [string]> = async (terminal, options, host) => {
  const ref = hostRef(host)
  using client = connect(terminal)
  const answer = await client.hub.call(removeHostOperation, { host: ref, force: options.force === true })
  return { json: answer, text: `removed: ${answer.removed}` }
}
