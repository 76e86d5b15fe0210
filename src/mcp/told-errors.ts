// Errors as a model reads them: what, why, and the next call that it can make. What only a person can mend is said as that, with the
// command for that person.

import type { MusterError } from '../contract/errors.ts'
import { oneLine } from './words.ts'

export interface AboutCall {
  readonly node?: string | undefined
  readonly command?: string | undefined
}

type Next = (about: AboutCall) => string

const lookUp: Next = () => 'Call environments_list to see which machines there are.'
const lookAt: Next = ({ node }) => `Call environments_list ${JSON.stringify({ node_id: node ?? 'local' })} to see what it offers.`
const schema: Next = ({ node, command }) =>
  command
    ? `Call environments_list ${JSON.stringify({ ...(node && { node_id: node }), command })} for its JSON Schema, then call again.`
    : "Correct it by this tool's own schema, then call again."
const again: Next = () => 'Nothing was begun: the same call can be made again, or one on another machine.'
const person: Next = () => 'You cannot change that: tell the person you work for.'

const nextCalls: Readonly<Record<string, Next>> = {
  'host.unknown': lookUp,
  'host.offline': () => 'Nothing was begun. environments_list says since when it is away, and which others there are.',
  'command.unknown': lookAt,
  'policy.denied': lookAt,
  'input.invalid': schema,
  'invoke.not_sent': again,
  'invoke.busy': again,
  'tool.busy': () => 'Wait for what you have begun, or cancel it, by its handles.',
  'invoke.no_answer': () => 'It may have been carried out: look on that machine before you repeat it.',
  'wire.closed': () => 'It may have been carried out: look before you repeat it.',
  'call.cancelled': () => 'It was ended. Call it again if it is still wanted; with keep, exec goes on by itself.',
  'command.timed_out': () => 'Give params.timeoutMs up to 600000, or keep: true with exec, for what takes longer.',
  'approval.denied': () => 'Do not try it again or in another way: ask the person you work for.',
  'approval.timeout': () => 'Nobody answered. Tell the person you work for before you ask again.',
  'approval.unavailable': () => 'Nobody could be asked, which is no denial: it can be called again later.',
  'tool.no_approving': person,
  'tool.handle_unknown': () => 'Call the command again, if it may be repeated.',
  'run.unknown': () => 'Handles of runs are what node_invoke with keep has answered.',
  'auth.forbidden': person,
  'auth.invalid': person,
  'auth.expired': person,
  'auth.required': person,
  'hub.read_only': person,
  'hub.not_running': person,
  'host.untrusted': person,
  'file.unreadable': () => 'Look whether the path is right; a target lies in a directory that is there.',
  'file.unwritable': () =>
    'A target lies in a directory that is there, and one that ends in "/" is one; a directory that is copied is made.',
  'events.ahead': () => 'Call environments_list without "since": it shows how everything is, and ends with a number of this hub.',
  'file.outside': () => 'Use a path in a directory that it exposes, or tell the person.',
  'tool.outside': () => 'Use a path in one of those directories, or tell the person.',
  'file.exists': () => 'Give overwrite: true to replace it, if that is wanted.',
}

/** Said for people: how they mend it. */
const forPeople = /^(?!file\.exists)(tool\.(no_approving|outside)|(auth|hub|policy|host|approval|file|store|wire|link)\.)/

const longestSentence = 2_000

/** A host chooses its own words, and may choose the code, too: they stay on their line, and what is ours stands on lines of its own. */
export function toldError({ code, message, hint }: MusterError, about: AboutCall): string {
  const next = nextCalls[code]?.(about)
  const parts = [oneLine(`${code}: ${message}`, longestSentence), ...(next ? [`Next: ${next}`] : [])]
  if (forPeople.test(code) || next === undefined) parts.push(`For a person: ${oneLine(hint, longestSentence)}`)
  return parts.join('\n')
}
