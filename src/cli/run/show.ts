// `muster run show`.

import { findRun } from '../../contract/fleet.ts'
import type { Run } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { showAgo } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'
import { showState, tookOf } from './list.ts'

export const showRun: Action<unknown, [string]> = async (terminal, _options, run) => {
  const id = runId(run)
  using client = connect(terminal)
  const found = await client.hub.call(findRun, { run: id })
  return { json: found, text: describe(found) }
}

function describe(run: Run): string {
  const when = (time: string | null) => (time === null ? null : `${time} (${showAgo(time)})`)
  return showFields({
    run: run.id,
    what: run.title,
    kind: run.kind,
    host: run.host,
    state: showState(run),
    'unit of':
      run.parent && `${run.parent.run}, ${run.parent.step}${run.parent.index === undefined ? '' : `[${run.parent.index}]`}`,
    created: when(run.createdAt),
    started: when(run.startedAt),
    ended: when(run.endedAt),
    took: run.startedAt === null ? null : tookOf(run),
    pid: run.pid === null ? null : String(run.pid),
    exit: run.exit && (run.exit.signal ?? String(run.exit.code ?? 'unknown')),
    error: run.error?.message,
    hint: run.error?.hint,
    output: `${run.output.stdout} bytes on stdout, ${run.output.stderr} on stderr`,
    unreachable: when(run.unreachableSince),
  })
}
