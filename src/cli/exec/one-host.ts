// exec on one host: standard input, output and error pass through byte for byte, and the exit code comes back.

import type { Caller } from '../../contract/caller.ts'
import { hasCode, MusterError } from '../../contract/errors.ts'
import { submitRun } from '../../contract/fleet.ts'
import type { OutputStream } from '../../contract/output.ts'
import { cancelRun, type Run } from '../../contract/run.ts'
import { OutputClosed, untilInterrupted } from '../leaving.ts'
import type { GlobalOptions, Outcome } from '../perform.ts'
import { tell } from '../report.ts'
import { sayHowToFollow } from '../run-hints.ts'
import { copyOutput } from '../run-output.ts'
import type { Terminal } from '../terminal.ts'
import { type Capture, capture, runResult } from './capture.ts'
import { exitOfRun } from './exit.ts'
import { type Kept, sayWhatWasKept } from './kept-artifacts.ts'
import type { ExecContext, ExecRequest } from './request.ts'
import { passStdin } from './stdin.ts'
import { tellWaiting } from './waiting.ts'

type Captures = Record<OutputStream, Capture>

export async function execOnOne(context: ExecContext, host: string, { spec, key, queue, detach }: ExecRequest): Promise<Outcome> {
  const { terminal, client, options } = context
  const stdin = options.stdin && !detach ? 'open' : 'none'
  const run = await client.hub.call(submitRun, { host, spec: { ...spec, stdin }, queue, ...(key !== undefined && { key }) })
  if (detach) return { json: { runs: [runResult(run)] }, text: run.id }
  const captures = capturesFor(terminal, options)
  const ended = await untilInterrupted(
    (signal) => attach(context, run, captures, stdin === 'open', signal),
    () => sayHowToFollow(terminal, [run.id]),
  )
  const kept = await sayWhatWasKept(terminal, client.host(ended.host), ended, spec.artifacts)
  return outcomeOf(terminal, ended, captures, kept)
}

/** Where the output goes: through to ours, or, with --json, only into the result; with --output, both. */
function capturesFor({ out, err }: Terminal, { json, output }: GlobalOptions): Captures {
  if (json) return { stdout: capture(), stderr: capture() }
  return { stdout: capture(out, output !== undefined), stderr: capture(err, output !== undefined) }
}

async function attach(
  { terminal, client }: ExecContext,
  { id: run, host: hostName }: Run,
  captures: Captures,
  withStdin: boolean,
  interrupted: AbortSignal,
): Promise<Run> {
  const host = client.host(hostName)
  const leaving = new AbortController()
  const signal = AbortSignal.any([interrupted, leaving.signal])
  const copy = (stream: OutputStream) => copyOutput({ terminal, host, run, signal }, stream, captures[stream].sink)
  void tellWaiting({ terminal, host, hostName, run }, signal)
  const outputs = Promise.all([copy('stdout'), copy('stderr')]).then(([ended]) => ended)
  try {
    if (!withStdin) return await outputs
    // Input that has been passed on whole is no end; only its failure is.
    const inputFailed = passStdin(terminal, host, run, signal).then(() => new Promise<never>(() => {}))
    return await Promise.race([outputs, inputFailed])
  } catch (thrown) {
    if (thrown instanceof OutputClosed) await endAsAPipeWould(host, run)
    throw thrown
  } finally {
    leaving.abort()
  }
}

const cancelDeadlineMs = 5_000

/** A command whose reader has gone dies of SIGPIPE at its next write; over a hub nobody would tell it. */
async function endAsAPipeWould(host: Caller, run: string): Promise<void> {
  await host.call(cancelRun, { run }, { timeoutMs: cancelDeadlineMs }).catch((error) => {
    if (!hasCode(error, 'run.ended')) throw error
  })
}

function outcomeOf(terminal: Terminal, run: Run, captures: Captures, kept: Kept | undefined): Outcome {
  const { code, error } = exitOfRun(run)
  if (error) {
    if (code === undefined) throw new MusterError(error)
    tell(terminal, new MusterError(error))
  }
  if (code === undefined) terminal.say(`Run ${run.id} was ${run.state}.`)
  return { json: { runs: [{ ...runResult(run, captures), ...kept }] }, exit: code ?? 255 }
}
