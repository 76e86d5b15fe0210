// A few lines on the terminal that are drawn over: on each change, and every second for what only time changes.

import type { Terminal } from './terminal.ts'

export interface Screen extends Disposable {
  /** Draws now and then every second. */
  start(): void
  draw(): void
}

const everyMs = 1000
// A line that wraps would take two, and the next drawing would begin one too low.
const noWrap = '\x1b[?7l'
const wrap = '\x1b[?7h'

export function openScreen(terminal: Pick<Terminal, 'out'>, drawing: () => string[]): Screen {
  let height = 0
  let timer: NodeJS.Timeout | undefined
  const draw = () => {
    const lines = drawing()
    const back = height === 0 ? '' : `\x1b[${height}A\x1b[J`
    height = lines.length
    // Not awaited: a terminal that is slow is drawn again in a second anyway; one that has gone ends the command by its signal.
    void terminal.out(`${noWrap}${back}${lines.join('\n')}\n${wrap}`).catch(() => clearInterval(timer))
  }
  return {
    start() {
      draw()
      timer = setInterval(draw, everyMs)
    },
    draw,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
