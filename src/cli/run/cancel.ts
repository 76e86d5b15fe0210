// `muster run cancel`.

import { findRun } from '../../contract/fleet.ts'
import { cancelRun } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

export const cancel: Action<{ readonly grace?: number }, [string]> = async (terminal, options, run) => {
  const id = runId(run)
  using client = connect(terminal)
  const { host } = await client.hub.call(findRun, { run: id })
  const graceMs = options.grace === undefined ? {} : { graceMs: options.grace }
  const asked = await client.host(host).call(cancelRun, { run: id, ...graceMs })
  return { json: asked, text: `${id} is ${asked.state}.` }
}
