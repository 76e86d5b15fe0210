// `muster approval show`.

import { showApproval } from '../../contract/approval.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { approvalId } from './approval-id.ts'
import { showCard } from './card.ts'

export const show: Action<unknown, [string]> = async (terminal, _options, approval) => {
  const id = approvalId(approval)
  using client = connect(terminal)
  const found = await client.hub.call(showApproval, { approval: id })
  return { json: found, text: showCard(found) }
}
