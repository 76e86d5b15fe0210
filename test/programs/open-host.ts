// A host process of its own, to be killed: opens the host and starts the runs that its standard input lists, one JSON a line.
// Prints `open` and then `accepted RUN` for each.

import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { direct } from '../../src/contract/direct.ts'
import { scopes } from '../../src/contract/operation.ts'
import { applyProc } from '../../src/contract/proc.ts'
import { startRun } from '../../src/contract/run.ts'
import { openHost } from '../../src/host/host.ts'

const [home, name] = process.argv.slice(2) as [string, string]
const host = await openHost({ home, musterHome: home, name, policy: { allow: 'everything' }, log: pino({ level: 'silent' }) })
const caller = direct(host.offers, { kind: 'self', id: 'test', role: 'operator', scopes: new Set(scopes) })
console.log('open')
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  if (asked.proc) {
    await caller.call(applyProc, asked)
    console.log(`applied ${asked.proc}`)
  } else {
    await caller.call(startRun, asked)
    console.log(`accepted ${asked.run}`)
  }
}
