// `muster policy test`: what a host would decide if you asked it for a command, rule by rule. Nothing is begun.

import { testPolicy } from '../../contract/policy.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { commandName, paramsOf } from './params.ts'
import { decisionOutcome } from './show-decision.ts'

interface TestOptions {
  readonly session?: string
}

export const test: Action<TestOptions, [string, string, string | undefined]> = async (
  terminal,
  { session },
  host,
  command,
  params,
) => {
  const asked = { command: commandName(command), params: paramsOf(params), ...(session !== undefined && { session }) }
  const ref = hostRef(host)
  using client = connect(terminal)
  return decisionOutcome(await client.host(ref).call(testPolicy, asked), asked.command, ref)
}
