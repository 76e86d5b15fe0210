// Writes lines to standard output, goes on when that fails, and ends when the file STOP is there. Into the file REPORT it writes
// how many bytes were taken and how many writes failed; REPORT.refused is there as soon as one has. Usage: node write-on.mjs STOP REPORT

import { existsSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const [stop, report] = process.argv.slice(2)
const line = Buffer.from(`${'0123456789abcdef'.repeat(256)}\n`)
let taken = 0
let failed = 0

while (!existsSync(stop)) {
  try {
    taken += writeSync(1, line, taken % line.length)
  } catch {
    failed += 1
    if (failed === 1) writeFileSync(`${report}.refused`, '')
  }
  await delay(10)
}
writeFileSync(report, JSON.stringify({ taken, failed }))
