// `muster node expose`: lets hubs have a command of this machine, always, after asking, or on a condition. Counts from the next question.

import { failure } from '../../contract/errors.ts'
import { conditionProblem } from '../../host/policy-file.ts'
import { homeAt } from '../home.ts'
import type { Action } from '../perform.ts'
import { hubKey } from './box.ts'
import { changePolicy, commandPattern } from './change-policy.ts'

interface ExposeOptions {
  readonly to?: string
  readonly ask?: true
  readonly when?: string
}

export const expose: Action<ExposeOptions, [string]> = async (terminal, { to, ask, when }, given) => {
  const command = commandPattern(given)
  const problem = when === undefined ? undefined : conditionProblem(when)
  if (problem !== undefined)
    throw failure('cli.usage', {
      problem: `The condition is wrong: ${problem}.`,
      hint: 'It is CEL over `command`, `params`, `hub`, `session` and `principal`, as in `params.path.startsWith("/srv/")`.',
    })
  const rule = {
    effect: ask ? ('ask' as const) : ('allow' as const),
    command,
    ...(to !== undefined && { to: await hubKey(homeAt(terminal.env).dir, to) }),
    ...(when !== undefined && { when }),
  }
  // Rules on other conditions stay beside it: each of them opens the command a little more.
  return changePolicy(terminal, rule, (other) => other.when === undefined || other.when === when)
}
