// Tells of changes in a folder, once it has been quiet for a moment: editors write in several steps.

import { watch } from 'node:fs'

const quietMs = 200
/** Where the system has no watches left, or the folder was away: a new one of its name is not watched. */
const lookEveryMs = 5_000

export interface FolderWatch {
  /** Rejects while the folder cannot be read. */
  onChange(): Promise<void>
  /** Told once when changes are not told of any more; the folder is then looked at now and then. */
  onBroken(error: Error): void
}

/** Until disposed; its disposal resolves when `onChange` is not under way any more. */
export function watchFolder(dir: string, { onChange, onBroken }: FolderWatch): AsyncDisposable {
  let quiet: NodeJS.Timeout | undefined
  let looking: NodeJS.Timeout | undefined
  let working = Promise.resolve()
  let closed = false
  const tell = () => {
    working = working.then(onChange).catch(lookInstead)
  }
  const waitForQuiet = () => {
    clearTimeout(quiet)
    quiet = setTimeout(tell, quietMs)
  }
  function lookInstead(error: Error): void {
    if (looking || closed) return
    onBroken(error)
    looking = setInterval(tell, lookEveryMs)
  }
  const watcher = startWatching(dir, waitForQuiet, lookInstead)
  return {
    async [Symbol.asyncDispose]() {
      closed = true
      watcher?.close()
      clearTimeout(quiet)
      clearInterval(looking)
      await working
    },
  }
}

function startWatching(dir: string, changed: () => void, broken: (error: Error) => void) {
  try {
    return watch(dir, changed).on('error', broken)
  } catch (error) {
    broken(error as Error)
    return undefined
  }
}
