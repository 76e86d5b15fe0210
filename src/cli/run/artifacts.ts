// `muster run artifacts`: the files that were kept with a run: listed, one to stdout, or saved below a directory.

import { resolve } from 'node:path'
import { type Artifact, ArtifactName, listArtifacts } from '../../contract/artifact.ts'
import { failure } from '../../contract/errors.ts'
import { findRun } from '../../contract/fleet.ts'
import type { OutputOf } from '../../contract/operation.ts'
import { isTerminal, type Run } from '../../contract/run.ts'
import { check, runId } from '../arguments.ts'
import { showBytes } from '../byte-size.ts'
import { connect } from '../hub-connection.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Action, GlobalOptions, Outcome } from '../perform.ts'
import { printable } from '../printable.ts'
import type { RunReading } from '../run-output.ts'
import { openScreen } from '../screen.ts'
import { type Column, showTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { fetchArtifact } from './fetch-artifact.ts'
import { saveArtifacts } from './save-artifacts.ts'

interface ArtifactsOptions {
  readonly into?: string
  readonly force?: true
}

type Listed = OutputOf<typeof listArtifacts>

export const artifacts: Action<ArtifactsOptions, [string, string | undefined]> = async (terminal, options, run, name) => {
  const id = runId(run)
  const wanted =
    name === undefined
      ? undefined
      : check(ArtifactName, name, "The artifact's name", `\`muster run artifacts ${id}\` lists them.`)
  checkTogether(options, wanted)
  using client = connect(terminal)
  const found = await client.hub.call(findRun, { run: id })
  const host = client.host(found.host)
  const list = await host.call(listArtifacts, { run: id })
  if (wanted === undefined && options.into === undefined) return show(terminal, found, list)
  const chosen = list.artifacts.filter((one) => wanted === undefined || one.name === wanted)
  if (wanted !== undefined && chosen.length === 0) throw failure('artifact.unknown', { run: id, name: wanted })
  return await untilInterrupted(
    async (signal) => {
      const reading = { terminal, host, run: id, signal }
      if (options.into !== undefined) return await save(reading, terminal, chosen, found, { ...options, into: options.into })
      for (const one of chosen) await fetchArtifact(reading, one, terminal.out)
      return { json: { run: id, host: found.host, artifacts: chosen }, shown: true as const }
    },
    () => undefined,
  )
}

function checkTogether({ into, force, json }: ArtifactsOptions & GlobalOptions, name: string | undefined): void {
  const wrong = (problem: string, hint: string) => failure('cli.usage', { problem, hint })
  if (force && into === undefined) throw wrong('--force is for --into.', 'Add `--into DIR`.')
  if (name !== undefined && into === undefined && json)
    throw wrong("An artifact's bytes are not JSON.", 'Leave --json out, or save it with `--into DIR`.')
}

function show(terminal: Terminal, run: Run, { artifacts, refused }: Listed): Outcome {
  const rows = artifacts.length === 0 ? noneText(run) : showTable(columns, artifacts, terminal)
  const others = refused.map(({ name, reason }) => printable(`not kept: ${name}: ${reason}`))
  return { json: { run: run.id, host: run.host, artifacts, refused }, text: [rows, ...others].join('\n') }
}

function noneText({ id, kind, state }: Run): string {
  if (kind === 'workflow') return `A workflow keeps none; its units may: muster run list --parent ${id}`
  return isTerminal(state) ? 'No artifacts.' : `No artifacts yet: ${id} is ${state}, and they are collected at its end.`
}

const columns: readonly Column<Listed['artifacts'][number]>[] = [
  { title: 'SIZE', cell: ({ bytes }) => showBytes(bytes) },
  { title: 'SHA-256', cell: ({ sha256 }) => sha256 },
  { title: 'NAME', cell: ({ name, here }) => (here ? name : `${name} (still on its host)`) },
]

async function save(
  reading: RunReading,
  terminal: Terminal,
  chosen: readonly Artifact[],
  run: Run,
  { into, force, json }: ArtifactsOptions & GlobalOptions & { into: string },
): Promise<Outcome> {
  if (chosen.length === 0) return { json: { run: run.id, host: run.host, saved: [] }, text: noneText(run) }
  const total = chosen.reduce((sum, { bytes }) => sum + bytes, 0)
  const progress = { name: '', bytes: 0 }
  using screen = openScreen(terminal, () => [bar(progress, total, terminal.columns)])
  const drawn = terminal.screen && !json
  if (drawn) screen.start()
  const files = await saveArtifacts(chosen, {
    into: resolve(terminal.cwd, into),
    force: force === true,
    fetch: (artifact, take) => fetchArtifact(reading, artifact, take),
    onBytes(artifact, count) {
      progress.name = artifact.name
      progress.bytes += count
    },
  })
  if (drawn) screen.draw()
  const saved = chosen.map(({ name, bytes, sha256 }, i) => ({ name, bytes, sha256, file: files[i] }))
  const text = `${saved.length === 1 ? '1 file' : `${saved.length} files`} (${showBytes(total)}) saved in ${into}.`
  return { json: { run: run.id, host: run.host, saved }, text }
}

const barWidth = 24

function bar({ name, bytes }: { name: string; bytes: number }, total: number, columns: number): string {
  const part = total === 0 ? 1 : bytes / total
  const full = Math.floor(part * barWidth)
  const line = `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}] ${Math.floor(part * 100)}% of ${showBytes(total)}  ${printable(name)}`
  return line.slice(0, columns)
}
