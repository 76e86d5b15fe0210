// Notes in a process's `order` file, soon after it happened, that its output files have grown: what makes live output live.
// The process writes straight into the files, so that no byte depends on a keeper or node being alive.

import { type FSWatcher, watch } from 'node:fs'
import { type OutputObserver, observeOutput } from '../../store/output/observe.ts'
import { isDiskFull } from '../room.ts'

export interface Growth {
  /** Notes what is left and stops; answers the final sizes. */
  close(): Promise<{ stdout: number; stderr: number }>
  /** Whether its disk was seen full since the start. */
  readonly diskWasFull: boolean
}

/** The order of what comes within one pause on both streams is not known; a shorter one costs more on chatty processes. */
const pauseMs = 5
/** Watching can miss (a full event queue, a file system without it), so that sizes are looked at now and then anyway. */
const checkEveryMs = 500

export function noteGrowth(dir: string, onError: (error: unknown) => void): Growth {
  let observing: Promise<OutputObserver> | undefined
  let pausing: NodeJS.Timeout | undefined
  let grown = false
  let failing = false
  let diskWasFull = false

  /** Opened again after a try that failed: for want of room, say, or of file descriptors. */
  const observer = () => {
    observing ??= observeOutput(dir).catch((error: unknown) => {
      observing = undefined
      throw error
    })
    return observing
  }
  const noteOnce = async () => {
    try {
      await (await observer()).note()
      failing = false
    } catch (error) {
      // Told once: the log lies on the same disk.
      if (!failing) onError(error)
      failing = true
    }
  }
  const note = () => {
    if (pausing) {
      grown = true
      return
    }
    grown = false
    void noteOnce()
    pausing = setTimeout(() => {
      pausing = undefined
      if (grown) note()
    }, pauseMs)
  }
  const watcher = watchFiles(dir, note, onError)
  const checking = setInterval(() => {
    diskWasFull ||= isDiskFull(dir)
    note()
  }, checkEveryMs)
  // What was written before the watch was there.
  note()

  return {
    get diskWasFull() {
      return diskWasFull
    },
    async close() {
      watcher?.close()
      clearTimeout(pausing)
      clearInterval(checking)
      diskWasFull ||= isDiskFull(dir)
      return (await observer()).close()
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
