// A timer for a point in time, however far: the system's own timers end at 24 days, and a run's timeout may be 30.

const longestMs = 2 ** 31 - 1

/** Calls back once `atMs` (ms since the epoch) has come; answers how to call it off. */
export function setAlarm(atMs: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout
  const arm = () => {
    const leftMs = atMs - Date.now()
    timer = leftMs > longestMs ? setTimeout(arm, longestMs) : setTimeout(callback, Math.max(0, leftMs))
  }
  arm()
  return () => clearTimeout(timer)
}
