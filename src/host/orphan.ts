// A process whose keeper was killed: watched by its identity until it is gone, its output noted meanwhile.
// Only used while no keeper holds it, since two must not write one `order` file.

import { setTimeout as delay } from 'node:timers/promises'
import { observeOutput } from '../store/output/observe.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

const lookEveryMs = 200

/** Answers the final sizes of its output. Throws the signal's reason when that is aborted first. */
export async function watchOrphan(
  dir: string,
  identity: ProcessIdentity,
  signal: AbortSignal,
): Promise<{ stdout: number; stderr: number }> {
  const observer = await observeOutput(dir)
  try {
    while (await isAlive(identity)) {
      await observer.note()
      await delay(lookEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  } catch (error) {
    await observer.close()
    throw error
  }
  return observer.close()
}
