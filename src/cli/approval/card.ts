// An approval for people: everything that would run, line by line, and what it is bound to. Nothing of it can steer the terminal, and
// nothing hides in it.

import type { FleetApproval } from '../../contract/approval.ts'
import { allSeen } from '../../contract/printable.ts'
import { showAgo } from '../duration.ts'
import { showPerson } from '../show-person.ts'
import { showFields } from '../table.ts'
import { stateOf } from './list.ts'

export function showCard(approval: FleetApproval): string {
  const { id, host, asked, askerName, reason, cause, createdAt, resolution, digest } = approval
  const { script } = asked
  const fields = showFields(
    seen({
      approval: id,
      host,
      command: asked.command,
      'argument list': asked.argv && JSON.stringify(asked.argv),
      parameters: JSON.stringify(asked.params),
      directory: asked.cwd,
      variables: Object.keys(asked.env).join(', ') || null,
      script: script && `given with it, SHA-256 ${script.sha256}`,
      session: asked.session,
      'who asks': asked.asker === null ? 'the hub itself' : showPerson(asked.asker, askerName),
      reason,
      'asked because': cause,
      asked: `${createdAt} (${showAgo(createdAt)})`,
      state: stateOf(approval),
      'answered by': resolution?.by && showPerson(resolution.by, resolution.byName),
      'said with it': resolution?.reason,
      digest,
    }),
  )
  return script ? `${fields}\n${linesOf(script.text)}` : fields
}

function seen(fields: Parameters<typeof showFields>[0]): Parameters<typeof showFields>[0] {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value && allSeen(value)]))
}

/** Each line by itself, so that line ends stay what they are. */
function linesOf(text: string): string {
  return text
    .split('\n')
    .map((line) => `  | ${allSeen(line)}`)
    .join('\n')
}
