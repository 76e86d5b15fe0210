// A workflow run shown live: each unit's output as `host · unit | line` while it comes, its steps as they begin and end.

import { setTimeout as sleep } from 'node:timers/promises'
import { asMusterError, type MusterError } from '../../contract/errors.ts'
import type { RunEvent } from '../../contract/event.ts'
import type { Run } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import { paint, paintHost } from '../color.ts'
import { eachEvent } from '../follow-events.ts'
import { liveLines } from '../live-lines.ts'
import { printable } from '../printable.ts'
import { chunkBytes, followChunks } from '../run-output.ts'
import type { Sink, Terminal } from '../terminal.ts'
import { createUnits, type UnitRow } from './units.ts'

export interface LiveWorkflow {
  readonly terminal: Terminal
  readonly client: HubClient
  readonly signal: AbortSignal
  /** Where the lines go; undefined shows none. */
  readonly sink: Sink | undefined
}

/** Resolves once the run has ended and the output of every unit was shown. */
export async function showLive(live: LiveWorkflow, run: Run): Promise<{ run: Run; units: UnitRow[] }> {
  const units = createUnits()
  const hosts: string[] = []
  const outputs = new Map<string, Promise<void>>()
  const failed = Promise.withResolvers<never>()
  const showUnit = (unit: UnitRow, id: string, sink: Sink) => {
    if (!hosts.includes(unit.host)) hosts.push(unit.host)
    const hasEnded = () => units.rows().some((row) => row.run === id && row.state !== 'running')
    return showOutput(live, { unit, run: id, nthHost: hosts.indexOf(unit.host), sink, hasEnded }).catch(failed.reject)
  }
  const following = eachEvent({ ...live, host: live.client.host(run.host), run: run.id }, (event) => {
    units.apply(event)
    say(live, event)
    const unit = event.type === 'unit.started' ? units.rows().find((row) => row.run === event.run) : undefined
    if (live.sink && unit?.run && !outputs.has(unit.run)) outputs.set(unit.run, showUnit(unit, unit.run, live.sink))
  })
  const notices = live.sink ? showNotices(live, run).catch(failed.reject) : undefined
  const ended = await Promise.race([following, failed.promise])
  await Promise.race([Promise.all([notices, ...outputs.values()]), failed.promise])
  return { run: ended, units: units.rows() }
}

/** What the workflow itself tells whoever watches, such as that a unit waits for its host. A broken connection is told with the events. */
async function showNotices({ terminal, client, signal }: LiveWorkflow, run: Run): Promise<void> {
  const quiet = { say() {} }
  try {
    await followChunks(
      { terminal: quiet, host: client.host(run.host), run: run.id, signal },
      0,
      async ({ stream, text = '' }) => {
        if (stream === 'stderr') for (const line of text.split('\n').filter(Boolean)) terminal.say(printable(line))
      },
    )
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

interface ShownUnit {
  readonly unit: UnitRow
  readonly run: string
  readonly nthHost: number
  readonly sink: Sink
  readonly hasEnded: () => boolean
}

const againAfterMs = 50

async function showOutput(live: LiveWorkflow, { unit, run, nthHost, sink, hasEnded }: ShownUnit): Promise<void> {
  const { terminal, client, signal } = live
  const label = printable(`${unit.host} · ${unit.unit}`)
  const prefix = `${terminal.color ? paintHost(nthHost, label) : label} | `
  const lines = { stdout: liveLines(prefix, sink, terminal.screen), stderr: liveLines(prefix, sink, terminal.screen) }
  let last = 0
  for (;;) {
    const isLastTry = hasEnded()
    try {
      await followChunks({ terminal, host: client.host(unit.host), run, signal }, last, async (chunk) => {
        last = chunk.chunk
        await lines[chunk.stream].write(chunkBytes(chunk))
      })
      await lines.stdout.end()
      await lines.stderr.end()
      return
    } catch (thrown) {
      if (signal.aborted) return
      const error = asMusterError(thrown)
      if (!isOfUnit(error)) throw thrown
      // A unit is told before it is submitted, and one that could not be submitted has no output: its row says why.
      if (isLastTry) return
      await sleep(againAfterMs)
    }
  }
}

/** What concerns this unit alone: the others and the result go on. */
function isOfUnit({ code }: MusterError): boolean {
  return code.startsWith('run.') || code.startsWith('host.')
}

function say({ terminal, sink }: LiveWorkflow, event: RunEvent): void {
  if (!sink) return
  const dim = (text: string) => terminal.say(terminal.color ? paint('dim', printable(text)) : printable(text))
  if (event.type === 'step.started') dim(`step ${event.step}: ${event.units} ${event.units === 1 ? 'unit' : 'units'}`)
  if (event.type === 'step.ended' && event.state === 'skipped')
    dim(`step ${event.step}: skipped${event.reason ? ` (${event.reason})` : ''}`)
}
