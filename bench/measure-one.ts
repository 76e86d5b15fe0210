// The process of one figure, started by bench/run.ts: measures, sends the rows to its parent and ends.

import { figures } from './figures/index.ts'

const [name, settings = '{}'] = process.argv.slice(2)
const figure = figures.find((one) => one.name === name)
if (!figure) throw new Error(`no figure is called ${name}`)
const rows = await figure.measure({
  ...(JSON.parse(settings) as { rounds: number; quick: boolean }),
  say: (line) => process.stderr.write(`${figure.name}: ${line}\n`),
})
process.send?.(rows, () => process.exit(0))
