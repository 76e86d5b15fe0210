// `muster workflow run`: submits a file, shows it live, prints the result table.

import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { exitCode, failure, MusterError } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { submitRun } from '../../contract/fleet.ts'
import { localHost } from '../../contract/names.ts'
import type { Run } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import { hostRef, uniquePairs } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Action, GlobalOptions, Outcome } from '../perform.ts'
import { tell } from '../report.ts'
import { sayHowToFollow } from '../run-hints.ts'
import type { Terminal } from '../terminal.ts'
import { showLive } from './live.ts'
import { describeEnd } from './result.ts'

interface WorkflowOptions {
  readonly input?: [string, string][]
  readonly host?: string
  readonly detach?: true
}

export const runWorkflow: Action<WorkflowOptions, [string]> = async (terminal, options, file) => {
  const source = await readWorkflow(file)
  const inputs = uniquePairs('--input', options.input)
  const host = options.host === undefined ? {} : { host: hostRef(options.host) }
  using client = connect(terminal)
  const run = await client.hub.call(submitRun, {
    host: localHost,
    spec: { kind: 'workflow', file: basename(file), source, inputs, cwd: terminal.cwd, ...host },
  })
  if (options.detach) return { json: { run, units: [] }, text: run.id }
  return await followWorkflow(terminal, client, run, options)
}

async function followWorkflow(terminal: Terminal, client: HubClient, run: Run, { json }: GlobalOptions): Promise<Outcome> {
  const { run: ended, units } = await untilInterrupted(
    (signal) => showLive({ terminal, client, signal, sink: json ? undefined : terminal.out }, run),
    () => sayHowToFollow(terminal, [run.id]),
  )
  if (ended.error) tell(terminal, new MusterError(ended.error))
  return {
    json: { run: ended, units },
    text: `\n${describeEnd(terminal, ended, units)}`,
    exit: ended.state === 'succeeded' ? exitCode.ok : exitCode.workFailed,
  }
}

const mostBytes = 512 * 1024

async function readWorkflow(file: string): Promise<string> {
  // One byte more tells a file that is too large; a device or a pipe may never end.
  const bytes = await buffer(createReadStream(file, { end: mostBytes })).catch((error) => {
    throw failure('file.unreadable', { file, problem: describeFileProblem(error) }, { cause: error })
  })
  if (bytes.length > mostBytes) throw failure('file.unreadable', { file, problem: `a workflow has ${mostBytes} bytes at most` })
  return bytes.toString('utf8')
}
