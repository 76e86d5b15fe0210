// A timer, however long: the system's own end at 24 days, and a run's timeout may be 30. It takes no notice of a clock that is set.

const longestMs = 2 ** 31 - 1

/** Calls back after that time; answers how to call it off. */
export function setAlarm(inMs: number, callback: () => void): () => void {
  const atMs = performance.now() + inMs
  let timer: NodeJS.Timeout
  const arm = () => {
    const leftMs = atMs - performance.now()
    timer = leftMs > longestMs ? setTimeout(arm, longestMs) : setTimeout(callback, Math.max(0, leftMs))
  }
  arm()
  return () => clearTimeout(timer)
}
