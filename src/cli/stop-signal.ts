// Waiting to be told to stop: Ctrl-C or SIGTERM. A second one ends the process at once.

const always = ['SIGINT', 'SIGTERM'] as const

/** Resolves at the first signal. `hangup`: also when the terminal is closed, for what would leave a child behind. */
export function stopRequested({ hangup = false } = {}): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of hangup ? ([...always, 'SIGHUP'] as const) : always) process.once(signal, () => resolve(signal))
  })
}
