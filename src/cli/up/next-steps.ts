// What to try once the hub is up: commands that work as they are printed, in another terminal.

import { selfInWords } from '../self.ts'
import type { Terminal } from '../terminal.ts'
import { secondName } from './second.ts'

/** `hasSecond`: the hub has the second host too, which a hub that was started otherwise may not. */
export function nextSteps(terminal: Pick<Terminal, 'env' | 'cwd'>, hasSecond: boolean): string {
  const withSecond = [`exec ${secondName} -- uname -a`, `exec local,${secondName} --fold -- date -u`]
  const commands = ['host list', ...(hasSecond ? withSecond : ['exec local -- uname -a']), 'run list', 'node enroll my-laptop']
  const muster = selfInWords(terminal)
  return `\n${commands.map((command) => `  ${muster} ${command}\n`).join('')}`
}
