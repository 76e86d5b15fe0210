// `muster run logs`: what a run wrote, each stream to its own, or both to stdout in the order they were seen.

import { findRun } from '../../contract/fleet.ts'
import { followLog, type LogChunk } from '../../contract/output.ts'
import { isTerminal } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import { Leaving, untilInterrupted } from '../leaving.ts'
import type { Action } from '../perform.ts'
import { printableJson } from '../printable.ts'
import { sayHowToReadOn } from '../run-hints.ts'
import { chunkBytes, followChunks } from '../run-output.ts'
import type { Terminal } from '../terminal.ts'
import { readEndedLog } from './ended-log.ts'
import { tellSilence } from './silence.ts'
import { type LogStart, parseSince } from './since.ts'

interface LogsOptions {
  readonly follow?: true
  readonly since?: string
  readonly stream?: string
}

export const showLogs: Action<LogsOptions, [string]> = async (terminal, options, run) => {
  const id = runId(run)
  const start = parseSince(options.since)
  using client = connect(terminal)
  const { host: hostName, state } = await client.hub.call(findRun, { run: id })
  const host = client.host(hostName)
  const kept: LogChunk[] = []
  let last = start.after
  let heardAt = performance.now()
  const take = async (chunk: LogChunk) => {
    last = chunk.chunk
    heardAt = performance.now()
    if (!isWanted(chunk, start, options.stream)) return
    if (options.output !== undefined) kept.push(chunk)
    if (options.json) await terminal.out(`${printableJson(chunk)}\n`)
    else await sinkOf(terminal, chunk, options.stream)(chunkBytes(chunk))
  }
  const read = async (signal: AbortSignal) => {
    if (options.follow) {
      const over = new AbortController()
      const told =
        saysSilence(terminal, options) && tellSilence({ terminal, hub: client.hub, run: id, heardAt: () => heardAt }, over.signal)
      await followChunks({ terminal, host, run: id, signal }, start.after, take).finally(() => over.abort())
      await told
    } else if (isTerminal(state)) await readEndedLog({ host, hostName, run: id, signal }, start.after, take)
    else for await (const chunk of host.items(followLog, { run: id, after: start.after }, { signal })) await take(chunk)
  }
  try {
    await untilInterrupted(read, () => undefined)
  } catch (thrown) {
    // A few megabytes or hours in, "it broke" is not enough: the rest can be had without the beginning.
    if (last > start.after && !(thrown instanceof Leaving)) sayHowToReadOn(terminal, id, last, options)
    throw thrown
  }
  return { json: { run: id, host: hostName, last, chunks: kept }, shown: true }
}

function isWanted(chunk: LogChunk, { notBefore }: LogStart, stream: string | undefined): boolean {
  if (notBefore !== undefined && Date.parse(chunk.at) < notBefore) return false
  return stream === 'stdout' || stream === 'stderr' ? chunk.stream === stream : true
}

/** Nothing of ours among the bytes of a run, unless it is a person who reads them. */
function saysSilence({ errScreen }: Terminal, { json, stream }: LogsOptions & { readonly json?: true }): boolean {
  return errScreen || json === true || !isApart(stream)
}

/** A stream that was asked for alone goes to stdout, so that it can be piped. */
function sinkOf(terminal: Terminal, chunk: LogChunk, stream: string | undefined) {
  return isApart(stream) && chunk.stream === 'stderr' ? terminal.err : terminal.out
}

function isApart(stream: string | undefined): boolean {
  return stream === undefined || stream === 'both'
}
