// What exec says of the artifacts that it asked for, once the run has ended: how many were kept, what was not and why, and the
// command that fetches them. What cannot be asked any more changes nothing of how the command went.

import { listArtifacts } from '../../contract/artifact.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError } from '../../contract/errors.ts'
import type { OutputOf } from '../../contract/operation.ts'
import type { Run } from '../../contract/run.ts'
import { showBytes } from '../byte-size.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

export type Kept = Pick<OutputOf<typeof listArtifacts>, 'artifacts' | 'refused'>

/** Undefined when none were asked for, or the host could not tell. `prefix` names the host where there are several. */
export async function sayWhatWasKept(
  terminal: Pick<Terminal, 'say'>,
  host: Caller,
  run: Run,
  globs: readonly string[] | undefined,
  prefix = '',
): Promise<Kept | undefined> {
  if (globs === undefined || globs.length === 0) return undefined
  try {
    const kept = await host.call(listArtifacts, { run: run.id })
    for (const line of linesOf(run.id, kept)) terminal.say(printable(`${prefix}${line}`))
    return kept
  } catch (thrown) {
    terminal.say(
      printable(`${prefix}What was kept is not known: ${asMusterError(thrown).message} Later: muster run artifacts ${run.id}`),
    )
    return undefined
  }
}

function linesOf(run: string, { artifacts, refused }: Kept): string[] {
  const bytes = artifacts.reduce((sum, one) => sum + one.bytes, 0)
  const many = artifacts.length === 1 ? '1 artifact' : `${artifacts.length} artifacts`
  return [
    ...refused.map(({ name, reason }) => `not kept: ${name}: ${reason}`),
    artifacts.length === 0
      ? 'No artifacts were kept.'
      : `${many} kept (${showBytes(bytes)}): muster run artifacts ${run} --into DIR`,
  ]
}
