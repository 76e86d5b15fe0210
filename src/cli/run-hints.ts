// What a person who leaves a run is told: it goes on, and these commands get back to it.

import type { Terminal } from './terminal.ts'

export function sayHowToFollow(terminal: Pick<Terminal, 'say'>, runs: readonly string[]): void {
  const [first] = runs
  if (first === undefined) return
  // Ctrl-C leaves `^C` on the line.
  terminal.say('')
  terminal.say(runs.length === 1 ? `Run ${first} goes on.` : `${runs.length} runs go on: ${runs.join(', ')}.`)
  terminal.say(`  follow it: muster run logs -f ${first}`)
  terminal.say(`  end it:    muster run cancel ${first}`)
}
