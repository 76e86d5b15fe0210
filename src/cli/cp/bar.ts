// How far a copy is, on one line that is drawn over: the part, the bytes, the files, how much a second, how long it will take.
// Only where standard error is a screen; else nothing is shown.

import type { CopyProgress } from '../../transfer/copy.ts'
import { showBytes } from '../byte-size.ts'
import { openScreen } from '../screen.ts'
import type { Terminal } from '../terminal.ts'

export interface CopyBar extends Disposable {
  show(progress: CopyProgress): void
  /** Takes the line away. */
  clear(): void
  /** ` at 42%`, or nothing where there is no telling. */
  progress(): string
}

const drawEveryMs = 100
/** The rate is of the last few seconds. */
const rateOverMs = 5_000
const cells = 24

interface Moment {
  readonly atMs: number
  readonly bytes: number
}

export function copyBar(terminal: Pick<Terminal, 'err' | 'errScreen'>): CopyBar {
  let last: CopyProgress | undefined
  let drawnAtMs = -Infinity
  let moments: Moment[] = []
  let cleared = false
  const screen = terminal.errScreen ? openScreen({ out: terminal.err }, () => (last ? [line(last, moments)] : [''])) : undefined

  return {
    show(progress) {
      if (cleared) return
      const now = performance.now()
      if (last === undefined) screen?.start()
      last = progress
      if (now - drawnAtMs < drawEveryMs) return
      drawnAtMs = now
      moments = [
        ...moments.filter(({ atMs }) => now - atMs < rateOverMs),
        { atMs: now, bytes: progress.bytes - progress.resumedBytes },
      ]
      screen?.draw()
    },
    clear() {
      screen?.[Symbol.dispose]()
      // What was typed meanwhile stands on the line below.
      if (screen && last && !cleared) void terminal.err('\r\x1b[1A\x1b[J').catch(() => undefined)
      cleared = true
    },
    progress: () => (last && last.bytesInAll > 0 ? ` at ${percentOf(last)}%` : ''),
    [Symbol.dispose]() {
      this.clear()
    },
  }
}

function line(progress: CopyProgress, moments: readonly Moment[]): string {
  const { files, filesInAll, bytes, bytesInAll } = progress
  const full = bytesInAll === 0 ? cells : Math.floor((bytes / bytesInAll) * cells)
  const bar = `${'#'.repeat(full)}${'.'.repeat(cells - full)}`
  const count = filesInAll === 1 ? '' : `  ${files} of ${filesInAll} files`
  return `${String(percentOf(progress)).padStart(3)}% [${bar}] ${showBytes(bytes)} of ${showBytes(bytesInAll)}${count}${rate(progress, moments)}`
}

function percentOf({ bytes, bytesInAll }: CopyProgress): number {
  return bytesInAll === 0 ? 100 : Math.floor((bytes / bytesInAll) * 100)
}

function rate({ bytes, bytesInAll }: CopyProgress, moments: readonly Moment[]): string {
  const [first, last] = [moments[0], moments.at(-1)]
  if (!first || !last || last.atMs === first.atMs) return ''
  const perSecond = Math.max(0, ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000)
  if (perSecond < 1) return '  waiting'
  return `  ${showBytes(perSecond)}/s  ${clock((bytesInAll - bytes) / perSecond)} left`
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const two = (n: number) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}
