// `muster run show`.

import { listArtifacts } from '../../contract/artifact.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError } from '../../contract/errors.ts'
import { findRun } from '../../contract/fleet.ts'
import type { Run } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { showBytes } from '../byte-size.ts'
import { showAgo } from '../duration.ts'
import type { Kept } from '../exec/kept-artifacts.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'
import { showState, tookOf } from './list.ts'

export const showRun: Action<unknown, [string]> = async (terminal, _options, run) => {
  const id = runId(run)
  using client = connect(terminal)
  const found = await client.hub.call(findRun, { run: id })
  const kept = await keptOf(client.host(found.host), found)
  return { json: { ...found, ...(kept && typeof kept === 'object' && kept) }, text: describe(found, kept) }
}

/** Why it is not known, where it is not. A host that knows of no artifacts has none. */
async function keptOf(host: Caller, { id, kind }: Run): Promise<Kept | string | undefined> {
  if (kind !== 'command') return undefined
  try {
    return await host.call(listArtifacts, { run: id })
  } catch (thrown) {
    const { code, message } = asMusterError(thrown)
    return code === 'host.version' || code === 'operation.unknown' ? undefined : `not known: ${message}`
  }
}

const shownArtifacts = 5

function describeKept(kept: Kept | string | undefined): string | null {
  if (kept === undefined || typeof kept === 'string') return kept ?? null
  const { artifacts, refused } = kept
  if (artifacts.length + refused.length === 0) return null
  const first = artifacts.slice(0, shownArtifacts).map(({ name, bytes }) => `${name} (${showBytes(bytes)})`)
  const more = artifacts.length > shownArtifacts ? [`and ${artifacts.length - shownArtifacts} more`] : []
  return [...first, ...more, ...(refused.length > 0 ? [`${refused.length} not kept`] : [])].join(', ')
}

function describe(run: Run, kept: Kept | string | undefined): string {
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
    artifacts: describeKept(kept),
    unreachable: when(run.unreachableSince),
  })
}
