// A pause before something is tried again, which ends early with its owner.

/** The longest that a timer of Node's can wait. */
const longestMs = 2 ** 31 - 1

/** Resolves after `ms`, or at once when the signal aborts; never rejects: who was aborted looks at the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms === 0) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(ms, longestMs))
    signal.addEventListener('abort', done, { once: true })
  })
}
