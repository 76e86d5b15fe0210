// What a person who leaves a run, or is cut off from it, is told: it goes on, and these commands get back to it.

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

/** After a log that broke off: the command that shows the rest, and nothing of it twice. */
export function sayHowToReadOn(
  terminal: Pick<Terminal, 'say'>,
  run: string,
  chunk: number,
  { follow, stream }: { follow?: true; stream?: string },
): void {
  const options = [...(follow ? ['-f'] : []), ...(stream === undefined ? [] : ['--stream', stream])]
  terminal.say(`Read up to chunk ${chunk}; the rest: ${['muster run logs', ...options, run, '--since', chunk].join(' ')}`)
}
