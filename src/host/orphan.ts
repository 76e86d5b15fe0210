// A process whose keeper was killed: watched by its identity until it is gone, its output noted meanwhile.
// Only used while no keeper holds it, since two must not write one `order` file.

import { setTimeout as delay } from 'node:timers/promises'
import { type OutputObserver, observeOutput } from '../store/output/observe.ts'
import { readExitRecord } from './keeper/exit-record.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

const lookEveryMs = 200

/** A keeper writes the record of an end within this time after it. */
const recordWithinMs = 10_000

/**
 * Answers the final sizes of its output. `heldElsewhere`: whether another keeper may hold it, which notes its output and records its
 * end. Throws the signal's reason when that is aborted first.
 */
export async function watchOrphan(
  dir: string,
  identity: ProcessIdentity,
  heldElsewhere: () => boolean,
  signal: AbortSignal,
): Promise<{ stdout: number; stderr: number }> {
  let observer: OutputObserver | undefined
  try {
    while (await isAlive(identity)) {
      if (!heldElsewhere()) {
        observer ??= await observeOutput(dir)
        await observer.note()
      }
      await pauseOrThrow(signal)
    }
    const goneAt = performance.now()
    while (heldElsewhere() && !readExitRecord(dir) && performance.now() - goneAt < recordWithinMs) await pauseOrThrow(signal)
  } catch (error) {
    await observer?.close()
    throw error
  }
  return (observer ?? (await observeOutput(dir))).close()
}

async function pauseOrThrow(signal: AbortSignal): Promise<void> {
  await delay(lookEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted())
}
