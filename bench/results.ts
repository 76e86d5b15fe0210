// What a run of the benchmarks leaves behind: bench/results.json, from which the tables in the documents are written.

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { root } from '../scripts/files.ts'
import type { Row } from './figure.ts'

const file = join(root, 'bench/results.json')

export interface Results {
  readonly machine: Machine
  readonly figures: readonly FigureResult[]
}

export interface FigureResult {
  readonly name: string
  readonly title: string
  readonly takenAt: string
  readonly rounds: number
  readonly rows: readonly Row[]
}

interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
  }
}

export function readResults(): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results
}

/** Keeps what was measured; figures that were not measured this time stay as they were, on this machine. */
export function saveResults(measured: readonly FigureResult[], order: readonly string[]): void {
  const machine = thisMachine()
  const known = knownFigures(machine)
  const figures = order.flatMap(
    (name) => measured.find((one) => one.name === name) ?? known.find((one) => one.name === name) ?? [],
  )
  writeFileSync(file, `${JSON.stringify({ machine, figures } satisfies Results, null, 2)}\n`)
}

/** Figures of another machine are not put beside those of this one. */
function knownFigures(machine: Machine): readonly FigureResult[] {
  try {
    const { machine: theirs, figures } = readResults()
    return JSON.stringify(theirs) === JSON.stringify(machine) ? figures : []
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
