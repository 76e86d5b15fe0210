// `muster node hide`: takes a command of this machine from hubs again. The rule that denies it stays, so that a wider one does not give
// it back by accident. Counts from the next question; what runs goes on.

import { homeAt } from '../home.ts'
import type { Action } from '../perform.ts'
import { hubKey } from './box.ts'
import { changePolicy, commandPattern } from './change-policy.ts'

interface HideOptions {
  readonly to?: string
}

export const hide: Action<HideOptions, [string]> = async (terminal, { to }, given) => {
  const command = commandPattern(given)
  const key = to === undefined ? undefined : await hubKey(homeAt(terminal.env).dir, to)
  return changePolicy(terminal, { effect: 'deny', command, ...(key !== undefined && { to: key }) }, () => true)
}
