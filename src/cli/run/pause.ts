// `muster run pause` and `muster run resume`.

import { findRun } from '../../contract/fleet.ts'
import { pauseRun, resumeRun } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

export const pause = asking(pauseRun)
export const resume = asking(resumeRun)

function asking(operation: typeof pauseRun | typeof resumeRun): Action<unknown, [string]> {
  return async (terminal, _options, run) => {
    const id = runId(run)
    using client = connect(terminal)
    const { host } = await client.hub.call(findRun, { run: id })
    const asked = await client.host(host).call(operation, { run: id })
    return { json: asked, text: `${id} is ${asked.state}.` }
  }
}
