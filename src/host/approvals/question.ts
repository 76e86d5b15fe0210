// What a host asks people about: exactly what it will run. A question is frozen when it is bound, and its digest is of all of it, so that
// what runs after the answer is the object that was shown.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { type AskedToRun, largestQuestionCharacters } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'

export interface Question {
  readonly command: string
  readonly params: Readonly<Record<string, unknown>>
  readonly argv: readonly string[] | null
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
  /** The text of a script that is given with the command. */
  readonly script: string | null
  readonly session: string | null
  /** Why the asker wants it. */
  readonly reason: string | null
  /** Why the host asks. */
  readonly cause: string
  /** Who wants it run, as the hub says that let him in. */
  readonly asker: string | null
  /** Over whose connection it came. */
  readonly principal: Principal
}

/** Guessing at a variable's value from its tag would take this key, which nobody keeps. */
const tagKey = randomBytes(32)

/** The question as people see it. From here on nothing of it changes. Throws `approval.too_large`. */
export function bindQuestion(host: string, question: Question): AskedToRun {
  const { params: given, argv: list, env: variables } = question
  for (const part of [given, list, variables]) freezeAll(part)
  const { command, params, argv, cwd, env, script, session, asker, principal } = question
  const asked: AskedToRun = {
    host,
    hub: principal.id,
    asker,
    command,
    params: withoutValues(params, env),
    argv: argv && [...argv],
    cwd,
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, tagOf(name, value)])),
    script: script === null ? null : { sha256: sha256(script), text: script },
    session,
  }
  const characters = JSON.stringify(asked).length
  if (characters > largestQuestionCharacters) throw failure('approval.too_large', { characters, most: largestQuestionCharacters })
  return freezeAll(asked)
}

/** Parameters may carry the variables once more: then also there by their tags. */
function withoutValues(params: Question['params'], env: Question['env']): Record<string, unknown> {
  const given = params.env
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return { ...params }
  const tagged = Object.entries(given).map(([name, value]: [string, unknown]): [string, unknown] => [
    name,
    typeof value === 'string' && Object.hasOwn(env, name) ? tagOf(name, value) : value,
  ])
  return { ...params, env: Object.fromEntries(tagged) }
}

function tagOf(name: string, value: string): string {
  return createHmac('sha256', tagKey)
    .update(JSON.stringify([name, value]))
    .digest('hex')
    .slice(0, 32)
}

function freezeAll<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) freezeAll(part)
  return value
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
