// Changes node/policy.toml as people would by hand: whole `[[rule]]` blocks are taken out or put at the end, and the rest stays to the
// letter, comments too. What cannot be changed so is left alone and said.

import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'smol-toml'
import { failure, MusterError } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { PolicyRule } from '../../contract/policy.ts'
import { notePolicyEdit } from '../../host/policy-edit.ts'
import { type PolicyText, parsePolicy, readPolicyText } from '../../host/policy-file.ts'

const head = `# What hubs may have done on this machine (docs/policy.md). \`muster node expose\` and \`muster node hide\` add and remove rules here, and
# so may you. A change counts for the next question.
`
const lookAgainMs = 50
/** A command that was killed while it wrote. */
const staleAfterMs = 10_000

export interface Edit {
  readonly removes: (rule: PolicyRule) => boolean
  readonly adds: PolicyRule
  /** The command that does it, and whose it is. */
  readonly by: Parameters<typeof notePolicyEdit>[2]
}

/** Whole and durable, or not at all. Throws `policy.unreadable`, `policy.not_edited`, `file.unwritable`. */
export async function editPolicy(file: string, edit: Edit): Promise<{ before: PolicyText | undefined; after: PolicyText }> {
  const fresh = `${file}.new`
  const handle = await openAlone(fresh)
  try {
    const text = readPolicyText(file)
    const before = text === undefined ? undefined : parsePolicy(text, file)
    const edited = editText(text ?? head, before?.rule ?? [], edit)
    const after = understood(file, edited, before, edit)
    await handle.writeFile(edited)
    await handle.sync()
    notePolicyEdit(file, edited, edit.by)
    await rename(fresh, file)
    await syncDirectory(dirname(file))
    return { before, after }
  } catch (error) {
    await rm(fresh, { force: true })
    throw error instanceof MusterError
      ? error
      : failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error })
  } finally {
    await handle.close()
  }
}

/** One at a time: the file beside it is the lock, too. */
async function openAlone(fresh: string) {
  for (;;) {
    try {
      return await open(fresh, 'wx', 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
        throw failure('file.unwritable', { file: fresh, problem: describeFileProblem(error) }, { cause: error })
    }
    const since = await stat(fresh).catch(() => undefined)
    if (since && Math.abs(Date.now() - since.mtimeMs) > staleAfterMs) await rm(fresh, { force: true })
    else await delay(lookAgainMs)
  }
}

/** The name counts only once its directory is on disk. */
async function syncDirectory(dir: string): Promise<void> {
  await using opened = await open(dir, 'r')
  await opened.sync()
}

function editText(text: string, rules: readonly PolicyRule[], { removes, adds }: Edit): string {
  const lines = text.split('\n')
  const blocks = ruleBlocks(lines)
  const dropped = new Set(rules.flatMap((rule, n) => (removes(rule) ? linesOf(blocks[n]) : [])))
  const kept = lines.filter((_, n) => !dropped.has(n)).join('\n')
  return `${kept.trimEnd()}\n\n${blockOf(adds)}`.replace(/^\n+/, '')
}

interface Block {
  readonly from: number
  readonly to: number
}

/** From each `[[rule]]` to the last line that says something of it. */
function ruleBlocks(lines: readonly string[]): Block[] {
  const heads = lines.flatMap((line, n) => (/^\s*\[/.test(line) ? [n] : []))
  return heads
    .filter((n) => /^\s*\[\[\s*rule\s*\]\]/.test(lines[n] ?? ''))
    .map((from) => {
      const next = heads.find((n) => n > from) ?? lines.length
      let to = from
      for (let n = from; n < next; n++) if (/^\s*[^\s#]/.test(lines[n] ?? '')) to = n
      // And the empty line after it.
      return { from, to: lines[to + 1]?.trim() === '' ? to + 1 : to }
    })
}

function linesOf(block: Block | undefined): number[] {
  return block ? Array.from({ length: block.to - block.from + 1 }, (_, n) => block.from + n) : []
}

function blockOf(rule: PolicyRule): string {
  return `[[rule]]\n${stringify(rule).trimEnd()}\n`
}

/** Lines may not mean what they look like (a text over several lines, a list in one): then the new text is not what was meant. */
function understood(file: string, text: string, before: PolicyText | undefined, { removes, adds }: Edit): PolicyText {
  const { rule, ...rest } = before ?? parsePolicy('', file)
  const meant = { ...rest, rule: [...rule.filter((one) => !removes(one)), adds] }
  try {
    const after = parsePolicy(text, file)
    if (isDeepStrictEqual(after, meant)) return after
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
  }
  throw failure('policy.not_edited', { file, rule: blockOf(adds).trim().replaceAll('\n', ' ') })
}
