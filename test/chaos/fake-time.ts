// A clock that a test sets while a process runs: libfaketime, preloaded into that process alone. What the process starts (its
// keeper, commands) keeps the true time, as the variable that preloads it is not passed on.

import { readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeClock extends AsyncDisposable {
  /** What a process of this clock is started with. */
  readonly env: Record<string, string>
  /** Sets it, by that much from the true time. */
  set(byMs: number): void
}

/** One that a test makes run faster, with all that a process's timers go by. */
export interface FastClock extends AsyncDisposable {
  readonly env: Record<string, string>
  run(times: number): void
}

const library = findLibrary()
export const canFakeTime = library !== undefined

export async function fakeClock(): Promise<FakeClock> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-clock-'))
  const file = join(dir, 'offset')
  const set = (byMs: number) => writeFileSync(file, `${byMs < 0 ? '-' : '+'}${Math.abs(byMs) / 1000}\n`)
  set(0)
  return {
    set,
    env: {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  }
}

export async function fastClock(): Promise<FastClock> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-clock-'))
  const file = join(dir, 'rate')
  const run = (times: number) => writeFileSync(file, `+0 x${times}\n`)
  run(1)
  return {
    run,
    env: { LD_PRELOAD: library ?? '', FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1' },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  }
}

/** Debian keeps it under the name of the machine's kind. */
function findLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined
  for (const kind of readdirSync('/usr/lib', { withFileTypes: true })) {
    if (!kind.isDirectory()) continue
    const dir = join('/usr/lib', kind.name, 'faketime')
    const found = filesIn(dir).find((name) => name === 'libfaketimeMT.so.1')
    if (found) return join(dir, found)
  }
  return undefined
}

function filesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
