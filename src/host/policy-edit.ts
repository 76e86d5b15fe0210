// Who has changed node/policy.toml by a command: a note beside it, for who tells of the change. Nothing is decided by it, and a note that is
// not of the file as it is now says nothing: that one was changed by hand.

import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const PolicyEdit = z.object({
  sha256: z.string(),
  command: z.string().max(100),
  account: z.string().max(256),
})
export type PolicyEdit = z.output<typeof PolicyEdit>

/** Not `.json`: those beside it are hubs. */
const noteOf = (policyFile: string) => join(dirname(policyFile), 'policy.edited')

export function digestOfPolicy(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** To be called before the file has that text. */
export function notePolicyEdit(policyFile: string, text: string, by: Pick<PolicyEdit, 'command' | 'account'>): void {
  const edit: PolicyEdit = { sha256: digestOfPolicy(text), command: by.command, account: by.account }
  const fresh = `${noteOf(policyFile)}.new`
  writeFileSync(fresh, JSON.stringify(edit), { mode: 0o600 })
  renameSync(fresh, noteOf(policyFile))
}

/** The command by which the file got the text of this digest, if it was one. */
export function policyEditOf(policyFile: string, sha256: string): PolicyEdit | undefined {
  try {
    const { data } = PolicyEdit.safeParse(JSON.parse(readFileSync(noteOf(policyFile), 'utf8')))
    return data?.sha256 === sha256 ? data : undefined
  } catch {
    // None, or torn: whoever has written the policy has then left no word of it.
    return undefined
  }
}
