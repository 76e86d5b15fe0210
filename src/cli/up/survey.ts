// The example that `muster up` runs: the survey of this package's own files, its folders shared between both hosts.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { submitRun } from '../../contract/fleet.ts'
import { localHost } from '../../contract/names.ts'
import type { Run } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { GlobalOptions } from '../perform.ts'
import { packageRoot } from '../self.ts'
import type { Terminal } from '../terminal.ts'
import { showLive } from '../workflow/live.ts'
import { describeEnd } from '../workflow/result.ts'
import { liveRuns } from './live-runs.ts'
import { secondName } from './second.ts'

export interface Survey {
  readonly terminal: Terminal
  readonly client: HubClient
  readonly options: GlobalOptions
  /** Resolves when the person wants to stop; the workflow then goes on when the hub is up again. */
  readonly stopping: Promise<unknown>
}

const file = 'examples/survey.yaml'

export async function runSurvey({ terminal, client, options, stopping }: Survey): Promise<void> {
  const run = (await unfinished(terminal, client)) ?? (await submit(terminal, client))
  const leaving = new AbortController()
  const live = showLive({ terminal, client, signal: leaving.signal, sink: options.json ? undefined : terminal.out }, run)
  const shown = await Promise.race([live, stopping.then(() => undefined)])
  leaving.abort()
  if (shown && !options.json) await terminal.out(`\n${describeEnd(terminal, shown.run, shown.units)}\n`)
}

/** The survey of an earlier `up` that was left before its end: a second one beside it would only hold it up. */
async function unfinished(terminal: Terminal, client: HubClient): Promise<Run | undefined> {
  const run = (await liveRuns(client)).find(({ kind, title }) => kind === 'workflow' && title === file)
  if (run) terminal.say(`The survey that an earlier start began goes on where it was (${file}):`)
  return run
}

async function submit(terminal: Terminal, client: HubClient): Promise<Run> {
  const root = packageRoot()
  const source = await readFile(join(root, file), 'utf8')
  const inputs = { root, programs: join(root, 'examples', 'programs'), hosts: [localHost, secondName] }
  const run = await client.hub.call(submitRun, { host: localHost, spec: { kind: 'workflow', file, source, cwd: root, inputs } })
  terminal.say(`Both now count the lines of this package, one folder a unit (${file}):`)
  return run
}
