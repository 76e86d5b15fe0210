// exec on several hosts at once: live lines with the host's name before each, or equal outputs folded; a summary by exit code.
// What happens to one host is that host's row; the others go on.

import { asMusterError, exitCode, hasCode } from '../../contract/errors.ts'
import { submitRun } from '../../contract/fleet.ts'
import { cancelRun, type Run } from '../../contract/run.ts'
import { paintHost } from '../color.ts'
import { OutputClosed, untilInterrupted } from '../leaving.ts'
import { liveLines } from '../live-lines.ts'
import type { Outcome } from '../perform.ts'
import { sayHowToFollow } from '../run-hints.ts'
import { chunkBytes, followChunks } from '../run-output.ts'
import type { Sink, Terminal } from '../terminal.ts'
import { capture, runResult } from './capture.ts'
import { exitOfRun } from './exit.ts'
import { foldOutputs } from './fold.ts'
import type { HostResult } from './host-result.ts'
import { sayWhatWasKept } from './kept-artifacts.ts'
import type { ExecContext, ExecRequest } from './request.ts'
import { summarize } from './summary.ts'
import { tellWaiting } from './waiting.ts'

export async function execOnMany(context: ExecContext, hosts: readonly string[], request: ExecRequest): Promise<Outcome> {
  const { terminal, client, options } = context
  const submitted = await Promise.all(hosts.map((host) => submit(context, host, request)))
  const started = submitted.flatMap(({ run }) => run ?? [])
  if (request.detach) return detached(terminal, submitted)
  const live = new Set(started.map(({ id }) => id))
  const width = Math.max(...hosts.map((host) => host.length))
  const results = await untilInterrupted(
    (signal) => Promise.all(submitted.map((one, i) => (one.run ? follow(one.run, i, signal) : one))),
    () => sayHowToFollow(terminal, [...live]),
  )
  if (options.fold && !options.json) await terminal.out(foldOutputs(results))
  if (!options.json) for (const line of summarize(results)) terminal.say(line)
  return {
    json: { runs: results.map(resultJson) },
    exit: results.every(({ code }) => code === 0) ? exitCode.ok : exitCode.workFailed,
  }

  async function follow(run: Run, n: number, signal: AbortSignal): Promise<HostResult> {
    const captures = { stdout: capture(undefined, keeps()), stderr: capture(undefined, keeps()) }
    const label = run.host.padEnd(width)
    const prefix = `${terminal.color ? paintHost(n, label) : label} | `
    const shown = { stdout: lines(prefix, terminal.out), stderr: lines(prefix, terminal.err) }
    const over = new AbortController()
    const waiting = { terminal, host: client.host(run.host), hostName: run.host, run: run.id }
    void tellWaiting(waiting, AbortSignal.any([signal, over.signal]))
    try {
      const ended = await followChunks({ terminal, host: client.host(run.host), run: run.id, signal }, 0, async (chunk) => {
        const bytes = chunkBytes(chunk)
        await captures[chunk.stream].sink(bytes)
        await shown[chunk.stream]?.write(bytes)
      })
      live.delete(run.id)
      await shown.stdout?.end()
      await shown.stderr?.end()
      const { code, error } = exitOfRun(ended)
      const kept = await sayWhatWasKept(terminal, client.host(run.host), ended, request.spec.artifacts, `${run.host}: `)
      return { host: run.host, run: ended, error, code, output: captures, kept }
    } catch (thrown) {
      if (thrown instanceof OutputClosed) await endAll(context, started)
      // Our own output, not the host: it would be the same for all of them.
      if (thrown instanceof OutputClosed || hasCode(thrown, 'file.unwritable') || signal.aborted) throw thrown
      return { host: run.host, run, error: asMusterError(thrown).toValue(), code: undefined, output: captures }
    } finally {
      over.abort()
    }
  }

  function lines(prefix: string, sink: Sink) {
    return options.fold || options.json ? undefined : liveLines(prefix, sink, terminal.screen)
  }

  function keeps(): boolean {
    return options.fold === true || options.json === true || options.output !== undefined
  }
}

async function submit({ client }: ExecContext, host: string, { spec, key, queue }: ExecRequest): Promise<HostResult> {
  try {
    const run = await client.hub.call(submitRun, {
      host,
      spec: { ...spec, stdin: 'none' },
      queue,
      // One submission a host: the hub must not take the second for a repeat of the first.
      ...(key !== undefined && { key: `${key}@${host}` }),
    })
    return { host: run.host, run, error: null, code: undefined }
  } catch (thrown) {
    const error = asMusterError(thrown)
    // A hub that is not there, or that refuses us, is no host's matter.
    if (error.code.startsWith('hub.') || error.code.startsWith('auth.')) throw error
    return { host, error: error.toValue(), code: undefined }
  }
}

function detached(terminal: Terminal, submitted: readonly HostResult[]): Outcome {
  for (const { host, error } of submitted) if (error) terminal.say(`${host}: ${error.message}`)
  const started = submitted.flatMap(({ run }) => run ?? [])
  return {
    json: { runs: submitted.map(resultJson) },
    text: started.map((run) => `${run.host} ${run.id}`).join('\n'),
    exit: started.length === submitted.length ? exitCode.ok : exitCode.workFailed,
  }
}

function resultJson({ host, run, error, output, kept }: HostResult): Record<string, unknown> {
  return run ? { ...runResult(run, output), error, ...kept } : { host, run: null, state: null, exit: null, error }
}

/** The reader of all their output has gone: each would die of SIGPIPE, were it here. */
async function endAll({ client }: ExecContext, runs: readonly Run[]): Promise<void> {
  await Promise.allSettled(runs.map((run) => client.host(run.host).call(cancelRun, { run: run.id }, { timeoutMs: 5_000 })))
}
