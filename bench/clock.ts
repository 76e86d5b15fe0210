// The machine's clock as its other processes see it, finer than the milliseconds of `Date.now`.

let offsetMs = 0

/** Sets it by the system's clock, which may have been moved since this process began. Keeps the processor busy for a millisecond. */
export function setClock(): void {
  const before = Date.now()
  while (Date.now() === before);
  offsetMs = before + 1 - performance.now()
}

/** Milliseconds since 1970, with their fraction. */
export function nowMs(): number {
  return offsetMs + performance.now()
}

setClock()
