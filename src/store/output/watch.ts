// Wakes a reader when another process has written to a run's output. A slow look now and then stands in for events that were
// missed.

import { type FSWatcher, watch } from 'node:fs'

const lookEveryMs = 250

export interface OutputWatch extends Disposable {
  /** Resolves at the next change since the last call returned, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void>
}

export function watchOutput(dir: string): OutputWatch {
  let seen = false
  let wake = () => {}
  const changed = () => {
    seen = true
    wake()
  }
  const watcher = watchDirectory(dir, changed)
  const looking = setInterval(changed, lookEveryMs)
  return {
    async changed(signal) {
      if (!seen && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = () => {
            signal.removeEventListener('abort', wake)
            resolve()
          }
          signal.addEventListener('abort', wake, { once: true })
        })
      }
      wake = () => {}
      seen = false
    },
    [Symbol.dispose]() {
      watcher?.close()
      clearInterval(looking)
    },
  }
}

/** Undefined where the directory is not there yet or the system has no watch left: the slow look must do. */
function watchDirectory(dir: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dir, changed)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}
