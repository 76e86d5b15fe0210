// Starts a program of this folder as a process of its own, and waits for the first thing that it says.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Program<Said> extends AsyncDisposable {
  readonly said: Said
  readonly process: ChildProcess
  readonly pid: number
}

/** `file` is its name here. Disposing ends it. */
export async function startProgram<Said>(file: string, args: readonly string[] = []): Promise<Program<Said>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args)
  const ended = once(child, 'close')
  const failed = ended.then(([code]) => {
    throw new Error(`${file} ended with ${code} before it was ready`)
  })
  // Ends after that too, which is no failure.
  failed.catch(() => undefined)
  const [said] = (await Promise.race([once(child, 'message'), failed])) as [Said]
  return {
    said,
    process: child,
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
