// Waiting to be told to stop: Ctrl-C or SIGTERM. A second one ends the process at once.

/** Resolves at the first signal. */
export function stopRequested(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => resolve(signal))
    }
  })
}
