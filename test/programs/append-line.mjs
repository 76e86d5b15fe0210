// Appends one line to a file, then waits: `append-line.mjs FILE LINE [MS]`. Lets a test count how often a command really started.
import { appendFileSync } from 'node:fs'

const [file, line, ms = '0'] = process.argv.slice(2)
appendFileSync(file, `${line}\n`)
console.log(`started ${line}`)
setTimeout(() => console.log(`done ${line}`), Number(ms))
