// `muster node policy test`: what the host of this machine would decide if a hub asked for a command, rule by rule, with every rule that
// there is. What the hub itself has to say comes before that, and is seen there (`muster policy test`).

import { catalogAt } from '../../host/commands/at-home.ts'
import { openPolicy } from '../../host/policy.ts'
import { homeAt } from '../home.ts'
import type { Action } from '../perform.ts'
import { commandName, paramsOf } from '../policy/params.ts'
import { decisionOutcome } from '../policy/show-decision.ts'
import { hubKey, policyHere } from './box.ts'

interface TestOptions {
  readonly hub?: string
  readonly session?: string
}

export const testPolicyHere: Action<TestOptions, [string, string | undefined]> = async (
  terminal,
  { hub, session },
  command,
  params,
) => {
  const name = commandName(command)
  const home = homeAt(terminal.env).dir
  const { hasRun, ...policy } = await policyHere(home)
  const key = hub === undefined ? undefined : await hubKey(home, hub)
  const isOwnHub = key === undefined && policy.allow === 'everything'
  const principal = isOwnHub
    ? { kind: 'self' as const, id: 'hub', role: 'operator' }
    : { kind: 'hub' as const, id: key ?? '', role: 'hub' }
  const { natureOf } = await catalogAt(home, { isHub: policy.allow === 'everything' })
  const decision = openPolicy(policy, natureOf).decide({
    command: name,
    params: paramsOf(params),
    principal,
    ...(session !== undefined && { session }),
  })
  if (!hasRun) terminal.say('No host has run in this home yet: what its --allow will name comes on top.')
  return decisionOutcome(decision, name, `this machine for ${isOwnHub ? 'its own hub' : (key ?? 'a hub that no rule names')}`)
}
