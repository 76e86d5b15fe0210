// A thread that swaps directories and files for links that lead out, and back, for as long as it lives.

import { renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'

const { inside, outside, names } = workerData as { inside: string; outside: string; names: string[] }
for (const name of names) symlinkSync(join(outside, name), join(inside, `${name}.link`))
parentPort?.postMessage('ready')
for (;;) {
  for (const name of names) {
    const [real, link, away] = [join(inside, name), join(inside, `${name}.link`), join(inside, `${name}.away`)]
    renameSync(real, away)
    renameSync(link, real)
    renameSync(real, link)
    renameSync(away, real)
  }
}
