// `muster approval revoke`.

import { revokeApproval } from '../../contract/approval.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { approvalId } from './approval-id.ts'

export const revoke: Action<unknown, [string]> = async (terminal, _options, approval) => {
  const id = approvalId(approval)
  using client = connect(terminal)
  const answered = await client.hub.call(revokeApproval, { approval: id })
  return {
    json: answered,
    text: answered.taken ? `taken back: ${id}` : `${id} was not, or is no longer, approved for a session.`,
  }
}
