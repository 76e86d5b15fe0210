// Runs our own synchronous work with an upper bound in time, so that no expression (a regular expression that backtracks for
// ever, macros nested over long lists) can hold up the process in which everybody else's work is done as well.

import { createContext, Script } from 'node:vm'

// The timeout of a vm script also stops the functions of this realm that it calls. It is not a sandbox, and need not be one.
const room = createContext({ work: undefined as unknown })
const callWork = new Script('work()')

/** Answers what `work` returns, or `timedOut` when it was stopped after `timeoutMs`. What `work` throws is thrown. */
export function withinTime<T>(timeoutMs: number, work: () => T): T | typeof timedOut {
  let result: T | typeof timedOut = timedOut
  const outer = room.work
  room.work = () => {
    result = work()
  }
  try {
    callWork.runInContext(room, { timeout: timeoutMs })
  } catch (thrown) {
    if (!isTimeout(thrown)) throw thrown
  } finally {
    room.work = outer
  }
  return result
}

export const timedOut = Symbol('timed out')

function isTimeout(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}
