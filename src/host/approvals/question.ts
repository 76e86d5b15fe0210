// What a host asks people about: exactly what it will run. A question is frozen when it is bound, and its digest is of all of it, so that
// what runs after the answer is the object that was shown.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { type AskedToRun, largestQuestionCharacters } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { Principal } from '../../contract/implementation.ts'

/** A script by its content; with a path, the file that it was read from, which is read again before it may run. */
export interface Script {
  readonly path: string | null
  readonly text: string
}

export interface Question {
  readonly command: string
  readonly params: Readonly<Record<string, unknown>>
  readonly argv: readonly string[] | null
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
  readonly script: Script | null
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
    script: script && { path: script.path, sha256: sha256(script.text), text: script.text },
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

/** Reads a script that is to be shown and carried out. A link is not followed. Throws `file.unreadable`. */
export async function readScript(path: string): Promise<Script> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) throw failure('file.unreadable', { file: path, problem: 'it is no regular file' })
    if (stat.size > largestQuestionCharacters) {
      throw failure('approval.too_large', { characters: stat.size, most: largestQuestionCharacters })
    }
    return { path, text: await file.readFile('utf8') }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw failure('file.unreadable', { file: path, problem: describeFileProblem(error) }, { cause: error })
    }
    throw error
  }
}

/** Throws `approval.changed` where a script's file holds something else by now than what was shown. */
export async function requireUnchanged({ script }: AskedToRun): Promise<void> {
  if (script === null || script.path === null) return
  const now = await readScript(script.path)
  if (sha256(now.text) !== script.sha256) throw failure('approval.changed', { what: `The script ${script.path}` })
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
