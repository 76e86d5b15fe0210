// The heap of a process that streams. V8 counts buffers as it counts objects, and lets a small heap grow by a few MiB before it
// marks all of it again: a hub that copies output at 100 MB/s would spend half its time marking what has not changed.

import { setFlagsFromString } from 'node:v8'

/** How far the heap, buffers included, may grow beyond what was alive, before it is collected: four times. */
const growthPercent = 300

/** Trades memory (some tens of MiB while much is streamed) for half of a copy's processor time. Before any work. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`)
}
