// `npm run bench [-- NAME... --quick --rounds N --json --save]`: takes each figure in a process of its own, so that none runs on
// what another left in memory, and prints it. `--save` keeps the figures in bench/results.json and writes the documents' tables.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeTables } from './document-tables.ts'
import type { Row } from './figure.ts'
import { figures } from './figures/index.ts'
import { type FigureResult, saveResults, thisMachine } from './results.ts'
import { textTable } from './table.ts'

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
})

const names = figures.map(({ name }) => name)
const unknown = wanted.filter((name) => !names.includes(name))
const rounds = Number(options.rounds ?? (options.quick ? 3 : 5))

if (unknown.length > 0) refuse(`no figure is called ${unknown.join(', ')}; there are: ${names.join(', ')}`)
else if (!Number.isInteger(rounds) || rounds < 1) refuse('--rounds needs a whole number from 1 on')
else if (options.save && options.quick) refuse('quick figures are not for keeping: leave out --quick or --save')
else await measureAll()

function refuse(problem: string): void {
  console.error(problem)
  process.exitCode = 2
}

async function measureAll(): Promise<void> {
  const { cpu, cores, memoryGiB, system, node } = thisMachine()
  process.stderr.write(`${cores} × ${cpu}, ${memoryGiB} GiB, ${system}, Node.js ${node}; ${rounds} rounds\n\n`)
  const measured: FigureResult[] = []
  for (const { name, title } of figures.filter((figure) => wanted.length === 0 || wanted.includes(figure.name))) {
    const rows = await measureApart(name)
    if (!rows) {
      process.exitCode = 1
      continue
    }
    const result = { name, title, takenAt: new Date().toISOString(), rounds, rows }
    measured.push(result)
    if (!options.json) console.log(textTable(result))
  }
  if (options.json) console.log(JSON.stringify({ machine: thisMachine(), figures: measured }, null, 2))
  if (!options.save) return
  saveResults(measured, names)
  writeTables()
}

/** Undefined when it failed; why stands on stderr. */
async function measureApart(name: string): Promise<Row[] | undefined> {
  const child = fork(fileURLToPath(new URL('measure-one.ts', import.meta.url)), [
    name,
    JSON.stringify({ rounds, quick: options.quick }),
  ])
  let rows: Row[] | undefined
  child.on('message', (message) => {
    rows = message as Row[]
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0 && rows) return rows
  process.stderr.write(`${name} could not be measured.\n`)
  return undefined
}
