// Locks the home that it is given and accepts and starts runs in its store, many at once, until it is killed.
// Prints the id of each run once both writes were acknowledged.

import { join } from 'node:path'
import { lockHome } from '../../src/store/lock.ts'
import { acceptRun, appendEvents } from '../../src/store/runs.ts'
import { openStore } from '../../src/store/store.ts'

const home = process.argv[2] ?? '.'
const inFlight = 64
using _lock = lockHome(home)
await using store = await openStore({ file: join(home, 'host.db') })

async function writeForEver(worker: number): Promise<never> {
  for (let n = 0; ; n += 1) {
    const run = `${process.pid}-${worker}-${n}`
    const spec = { kind: 'command' as const, argv: ['true'], env: {}, stdin: 'none' as const, timeoutMs: 1000 }
    await acceptRun(store, { host: 'local', run, spec, parent: null, title: 'true', fence: 0 })
    await appendEvents(store, 'local', run, [{ type: 'state', state: 'running', pid: 1 }])
    process.stdout.write(`${run}\n`)
  }
}

await Promise.all(Array.from({ length: inFlight }, (_, worker) => writeForEver(worker)))
