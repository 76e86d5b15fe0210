// Notes in a process's `order` file, soon after it happened, that its output files have grown: what makes live output live.
// The process writes straight into the files, so that no byte depends on a keeper or node being alive.

import { type FSWatcher, watch } from 'node:fs'
import { observeOutput } from '../../store/output/observe.ts'

export interface Growth {
  /** Notes what is left and stops; answers the final sizes. */
  close(): Promise<{ stdout: number; stderr: number }>
}

/** The order of what comes within one pause on both streams is not known; a shorter one costs more on chatty processes. */
const pauseMs = 5
/** Watching can miss (a full event queue, a file system without it), so that sizes are looked at now and then anyway. */
const checkEveryMs = 500

export function noteGrowth(dir: string, onError: (error: unknown) => void): Growth {
  const observing = observeOutput(dir)
  let pausing: NodeJS.Timeout | undefined
  let grown = false

  const note = () => {
    if (pausing) {
      grown = true
      return
    }
    grown = false
    observing.then((observer) => observer.note()).catch(onError)
    pausing = setTimeout(() => {
      pausing = undefined
      if (grown) note()
    }, pauseMs)
  }
  const watcher = watchFiles(dir, note, onError)
  const checking = setInterval(note, checkEveryMs)
  // What was written before the watch was there.
  note()

  return {
    async close() {
      watcher?.close()
      clearTimeout(pausing)
      clearInterval(checking)
      return (await observing).close()
    },
  }
}

/** Undefined where the system has no watch left: then the check alone must do, and the process goes on. */
function watchFiles(dir: string, note: () => void, onError: (error: unknown) => void): FSWatcher | undefined {
  try {
    const watcher = watch(dir, (_, file) => {
      if (file === 'stdout' || file === 'stderr') note()
    })
    watcher.on('error', onError)
    return watcher
  } catch (error) {
    onError(error)
    return undefined
  }
}
