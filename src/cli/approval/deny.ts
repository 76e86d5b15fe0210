// `muster approval deny`.

import { denyApproval, showApproval } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { approvalId } from './approval-id.ts'

export const deny: Action<{ readonly reason?: string }, [string]> = async (terminal, { reason }, approval) => {
  const id = approvalId(approval)
  if (reason === undefined) {
    throw failure('cli.usage', {
      problem: 'Who asks has to be told why it is denied.',
      hint: `Say it: \`muster approval deny ${id} --reason "not during the release"\`.`,
    })
  }
  using client = connect(terminal)
  const { digest } = await client.hub.call(showApproval, { approval: id })
  const answered = await client.hub.call(denyApproval, { approval: id, digest, reason })
  return { json: answered, text: `denied: ${printable(answered.asked.command)} on ${printable(answered.host)}` }
}
