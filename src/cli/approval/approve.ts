// `muster approval approve`: shows what will run, and binds the answer to just that.

import { approveApproval, showApproval } from '../../contract/approval.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { approvalId } from './approval-id.ts'
import { showCard } from './card.ts'

interface ApproveOptions {
  readonly session?: true
  readonly reason?: string
}

export const approve: Action<ApproveOptions, [string]> = async (terminal, { session, reason }, approval) => {
  const id = approvalId(approval)
  using client = connect(terminal)
  const found = await client.hub.call(showApproval, { approval: id })
  terminal.say(showCard(found))
  const answered = await client.hub.call(approveApproval, {
    approval: id,
    digest: found.digest,
    ...(session && { session }),
    ...(reason !== undefined && { reason }),
  })
  const { asked, host, state } = answered
  const what = `${printable(asked.command)} on ${printable(host)}`
  return {
    json: answered,
    text:
      state === 'approved_session'
        ? `approved for its session: ${what}; take it back with \`muster approval revoke ${id}\``
        : `approved, once: ${what}`,
  }
}
