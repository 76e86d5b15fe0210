// Signals a process group. Ours are led by the process itself, so that its pid is the group's number.

/** False when there is no such group any more. Signal 0 only asks, and a group of another account (sudo) is there too. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH') return false
    if (code === 'EPERM' && signal === 0) return true
    throw error
  }
}
