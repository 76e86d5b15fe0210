// The heap of a process that streams. V8 counts buffers as it counts objects, and marks all of a heap anew whenever 64 MiB of buffers have
// come since the last time, however few are still held: a hub that copies a file would spend half its time marking what has not changed.

import { setFlagsFromString } from 'node:v8'

/** How far the heap, buffers included, may grow beyond what was alive, before it is collected: twice. */
const growthPercent = 100

/** Trades memory (some tens of MiB while much is streamed) for half of a copy's processor time. Before any work. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`)
  setFlagsFromString('--external-memory-accounted-in-global-limit')
}
