// An approval's id as it is typed, checked before anybody is asked.

import { ApprovalId } from '../../contract/approval.ts'
import { check } from '../arguments.ts'

export function approvalId(text: string): string {
  return check(ApprovalId, text, "The approval's id", '`muster approval list` shows what waits for an answer.')
}
