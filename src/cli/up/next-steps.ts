// What to try once the hub is up: commands that work as they are printed, in another terminal.

import { selfInWords } from '../self.ts'
import type { Terminal } from '../terminal.ts'
import { secondName } from './second.ts'

export function nextSteps(terminal: Pick<Terminal, 'env' | 'cwd'>, url: string): string {
  const muster = selfInWords(terminal)
  return `
The hub serves at ${url} until Ctrl-C. Try, in another terminal:

  ${muster} host list
  ${muster} exec ${secondName} -- uname -a
  ${muster} exec local,${secondName} --fold -- date -u
  ${muster} run list
  ${muster} node enroll my-laptop
`
}
