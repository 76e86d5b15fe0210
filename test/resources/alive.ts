/** Whether there is a process of this number: for one that this machine's tests have just started. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
