// Writes the numbers from 1 on, one a line, every MS milliseconds, until a file is there, and then the last one into another:
// `count-until.mjs FILE LAST MS`. A gap or a repeat in a copy is plain to see.
import { existsSync, writeFileSync } from 'node:fs'

const [file, last, ms] = process.argv.slice(2)
for (let n = 1; ; n++) {
  console.log(n)
  if (existsSync(file)) {
    writeFileSync(last, `${n}\n`)
    break
  }
  await new Promise((resolve) => setTimeout(resolve, Number(ms)))
}
