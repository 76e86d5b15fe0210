// `muster host token`: another token for a host, in the place of the former one. A host that dials in gets one from the hub, which is
// printed this once; a host that is shown one gets what comes on standard input.

import { type HostDetail, type Joining, replaceHostToken } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import { joiningLines } from '../node/enroll.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { readToken } from '../stdin-secret.ts'
import { howItAnswered } from './answered.ts'

interface TokenOptions {
  readonly tokenStdin?: true
  readonly hubUrl?: string
  readonly probe: boolean
}

export const replaceToken: Action<TokenOptions, [string]> = async (terminal, { tokenStdin, hubUrl, probe, json }, host) => {
  const ref = hostRef(host)
  const secret = tokenStdin ? await readToken(terminal) : undefined
  using client = connect(terminal)
  const replaced = await client.hub.call(replaceHostToken, {
    host: ref,
    probe,
    ...(secret !== undefined && { secret }),
    ...(hubUrl !== undefined && { hubUrl }),
  })
  if (!json) for (const line of whatFollows(replaced)) terminal.say(line)
  const { name, id } = replaced.host
  const done = `token replaced: ${printable(name)} (${id})`
  return { json: replaced, text: replaced.joining ? [done, ...joiningLines(replaced.joining)].join('\n') : done }
}

function whatFollows({ host, joining }: { host: HostDetail; joining: Joining | null }): string[] {
  if (!joining) return howItAnswered(host, 'has another token')
  return [
    'Its link is closed, and what it runs goes on. Its node joins again with this token alone.',
    'The token is shown this once: whoever has it can join as this host, unless its machine has joined before.',
  ]
}
