// `muster pairing approve`.

import { failure } from '../../contract/errors.ts'
import { approvePairing } from '../../contract/pairing.ts'
import { hostName } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { whom } from './whom.ts'

interface ApproveOptions {
  readonly allow?: string[]
  readonly name?: string
}

export const approve: Action<ApproveOptions, [string]> = async (terminal, { allow, name }, text) => {
  const who = whom(text)
  if ('pairing' in who)
    throw failure('cli.usage', {
      problem: 'A machine is approved by the code that its screen shows, and not by its id.',
      hint: 'Look there: `muster pairing approve CODE`.',
    })
  const input = {
    ...who,
    ...(name !== undefined && { name: hostName(name) }),
    ...(allow && { allow }),
  }
  using client = connect(terminal)
  const approved = await client.hub.call(approvePairing, input)
  terminal.say(`This hub may do there: ${approved.trust.join(', ') || 'nothing, beyond looking at it'}.`)
  return { json: approved, text: `approved: ${approved.name} (${approved.host})` }
}
