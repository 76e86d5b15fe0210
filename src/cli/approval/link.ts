// `muster approval link`.

import { linkApproval } from '../../contract/approval.ts'
import { check } from '../arguments.ts'
import { showDuration } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { approvalId } from './approval-id.ts'

interface LinkOptions {
  readonly url?: string
  readonly insecure?: true
}

const Url = linkApproval.input.shape.url.unwrap()

export const link: Action<LinkOptions, [string]> = async (terminal, { url, insecure }, approval) => {
  const id = approvalId(approval)
  const address = url && check(Url, url, "The hub's address", 'Give it as `--url https://hub.example`.')
  using client = connect(terminal)
  const made = await client.hub.call(linkApproval, {
    approval: id,
    ...(address && { url: address }),
    ...(insecure && { insecure }),
  })
  const left = showDuration(Math.max(0, Date.parse(made.expiresAt) - Date.now()))
  terminal.say(`Whoever has this link can answer ${id}, once, within ${left}. It is shown this once.`)
  return { json: made, text: made.url }
}
