// Tells when node/policy.toml says something else than before, also when that was changed while no host ran: what was added and taken away,
// and by whom as far as that is known. Conditions are left out, since they may hold what parameters hold.
// What is said of one hub is none of the others' business: they all hear the same events.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { z } from 'zod'
import { asMusterError, hasCode } from '../contract/errors.ts'
import { digestOfPolicy, policyEditOf } from './policy-edit.ts'
import { type PolicyText, parsePolicy, readPolicyText, stampOf } from './policy-file.ts'

const lookEveryMs = 1_000

export interface PolicyChange {
  /** `muster node expose`, `muster node hide`, or `hand`. */
  readonly by: string
  /** Whose command it was. */
  readonly account: string | null
  /** False: everything is denied until it can be read. */
  readonly readable: boolean
  readonly added: readonly PolicyLine[]
  readonly removed: readonly PolicyLine[]
}

/** One thing that a policy says. */
const PolicyLine = z.object({
  text: z.string(),
  /** Every hub may hear of it. */
  isPublic: z.boolean(),
})
export type PolicyLine = z.output<typeof PolicyLine>

export interface PolicyChangesOf {
  readonly file: string
  /** Where this host keeps what it saw last. */
  readonly seenFile: string
  readonly onChange: (change: PolicyChange) => Promise<void>
  readonly log: Logger
  readonly everyMs?: number
}

/** Null where it could not be read. */
const Seen = z.object({ sha256: z.string(), lines: z.array(PolicyLine).nullable() })
type Seen = z.output<typeof Seen>

/** Until disposed; the first look is over when it is returned. */
export async function tellPolicyChanges({
  file,
  seenFile,
  onChange,
  log,
  everyMs = lookEveryMs,
}: PolicyChangesOf): Promise<AsyncDisposable> {
  let seen = readSeen(seenFile)
  let looked = policyNow(file).sha256
  let looking: Promise<void> = Promise.resolve()
  /** The file as it was when there was nothing more to tell of it. */
  let rested: string | undefined

  async function look(): Promise<void> {
    const { stamp, settled } = stampOf(file)
    if (stamp === rested) return
    rested = undefined
    const now = policyNow(file)
    // Editors write in several steps: what is told of is found twice.
    const isSettled = now.sha256 === looked
    looked = now.sha256
    if (now.sha256 === seen?.sha256 && settled) rested = stamp
    if (!isSettled || now.sha256 === seen?.sha256) return
    const before = seen
    // A host that has never looked has nothing to compare it with.
    if (before) await onChange(changeBetween(before, now, policyEditOf(file, now.sha256)))
    seen = now
    writeFileSync(`${seenFile}.new`, JSON.stringify(now), { mode: 0o600 })
    renameSync(`${seenFile}.new`, seenFile)
  }

  const lookAgain = () => {
    looking = looking.then(look).catch((error) => {
      log.warn({ error: asMusterError(error).toValue() }, 'whether the policy of this machine has changed could not be seen')
    })
    return looking
  }
  await lookAgain()
  const timer = setInterval(lookAgain, everyMs)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking
    },
  }
}

function policyNow(file: string): Seen {
  try {
    const text = readPolicyText(file)
    if (text === undefined) return { sha256: 'none', lines: [] }
    return { sha256: digestOfPolicy(text), lines: readLines(text, file) }
  } catch (error) {
    if (hasCode(error, 'policy.unreadable')) return { sha256: 'unreadable', lines: null }
    throw error
  }
}

function readLines(text: string, file: string): PolicyLine[] | null {
  try {
    return linesOf(parsePolicy(text, file))
  } catch (error) {
    if (hasCode(error, 'policy.unreadable')) return null
    throw error
  }
}

function linesOf({ allow, rule, files }: PolicyText): PolicyLine[] {
  return [
    ...allow.map((command) => ({ text: `allow ${command}`, isPublic: true })),
    ...rule.map(({ effect, command, to, when }) => ({
      text: [effect, command, ...(to === undefined ? [] : ['to', to]), ...(when === undefined ? [] : ['on a condition'])].join(
        ' ',
      ),
      isPublic: to === undefined,
    })),
    ...files.roots.map((root) => ({ text: `files below ${root}`, isPublic: false })),
  ]
}

function changeBetween(before: Seen, now: Seen, edit: ReturnType<typeof policyEditOf>): PolicyChange {
  const [then, lines] = [before.lines ?? [], now.lines ?? []]
  return {
    by: edit?.command ?? 'hand',
    account: edit?.account ?? null,
    readable: now.lines !== null,
    added: without(lines, then),
    removed: without(then, lines),
  }
}

/** Each as often as it is there more often. */
function without(lines: readonly PolicyLine[], others: readonly PolicyLine[]): PolicyLine[] {
  const left = others.map(({ text }) => text)
  return lines.filter(({ text }) => {
    const at = left.indexOf(text)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

/** An event says that something happened, and where to look. */
const mostTold = 20

/** As texts, few enough for an event or an entry of the audit log. */
export function policyTexts(lines: readonly PolicyLine[]): string[] {
  return lines.slice(0, mostTold).map(({ text }) => text)
}

function readSeen(file: string): Seen | undefined {
  try {
    return Seen.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
