// node/policy.toml in MUSTER_HOME: what the people of this machine let hubs do here. Looked at before each question, so that an edit
// counts for the next one. One that is not understood is never taken for a wider one: then everything is refused.

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { failure, type MusterError } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import { describeIssue } from '../contract/implementation.ts'
import { CommandPattern, PolicyRule } from '../contract/policy.ts'
import { conditionProblem } from '../policy/condition.ts'
import type { PlacedRule } from '../policy/question.ts'
import { ownershipProblem } from './owned-file.ts'

export { conditionProblem } from '../policy/condition.ts'

/** Nobody writes as much by hand; whatever is larger is something else. */
const mostBytes = 64 * 1024
/** A file that has changed just now may change once more within the same tick of its clock; some file systems count in seconds. */
const settledAfterMs = 2_500

const Written = z.strictObject({
  allow: z.array(CommandPattern).default([]).meta({ description: 'Commands that every hub may have.' }),
  rule: z.array(PolicyRule).default([]),
  files: z
    .strictObject({
      roots: z
        .array(
          z
            .string()
            .max(4096)
            .regex(/^\/[^\0]*$/, 'it is an absolute path'),
        )
        .max(100)
        .default([]),
    })
    .default({ roots: [] })
    .meta({ description: 'The directories in which the commands `file.*` may work.' }),
})

export type PolicyText = z.output<typeof Written>

export interface PolicyFile {
  /** As it is on disk now; undefined where there is none. Throws `policy.unreadable`. */
  read(): PolicyText | undefined
}

export function policyFileOf(home: string): string {
  return join(home, 'node', 'policy.toml')
}

export function openPolicyFile(file: string, nowMs: () => number = () => performance.now()): PolicyFile {
  // A failure is never kept: it may be the machine's, and pass without the file's changing.
  let known: { readonly stamp: string; readonly text: PolicyText | undefined } | undefined
  let saidSomething = false
  let goneMs: number | undefined

  /** Some editors take a file away, or empty it, before they write it: for that moment it must not count as one that says nothing. */
  function requireMeant(written: string | undefined): void {
    if (written) {
      saidSomething = true
      goneMs = undefined
    } else if (saidSomething) {
      goneMs ??= nowMs()
      if (nowMs() - goneMs < settledAfterMs)
        throw unreadable(file, 'it was emptied or taken away just now, and may be written anew')
      saidSomething = false
    }
  }

  return {
    read() {
      const { stamp, settled } = stampOf(file)
      if (known?.stamp === stamp) return known.text
      const written = readPolicyText(file)
      requireMeant(written)
      const text = written === undefined ? undefined : parsePolicy(written, file)
      known = settled ? { stamp, text } : undefined
      return text
    },
  }
}

/** A policy's text, understood. Throws `policy.unreadable`; `file` is for its words. */
export function parsePolicy(text: string, file: string): PolicyText {
  const written = Written.safeParse(parseToml(text, file))
  if (!written.success) {
    const problems = written.error.issues.map((issue) => describeIssue({ ...issue, path: placeOf(issue.path, text) }))
    throw unreadable(file, problems.join('; '))
  }
  written.data.rule.forEach(({ when }, n) => {
    const problem = when === undefined ? undefined : conditionProblem(when)
    if (problem !== undefined) throw unreadable(file, `${placeOf(['rule', n, 'when'], text).join('.')}: ${problem}`)
  })
  return written.data
}

/** Its rules, each with its place. */
export function rulesOf({ allow, rule }: PolicyText): PlacedRule[] {
  return [
    ...allow.map((command): PlacedRule => ({ effect: 'allow', command, from: 'node/policy.toml, allow' })),
    ...rule.map((one, n): PlacedRule => ({ ...one, from: `node/policy.toml, rule ${n + 1}` })),
  ]
}

/** The text; undefined where there is no file. Throws `policy.unreadable`. */
export function readPolicyText(file: string): string | undefined {
  let opened: number | undefined
  try {
    // A pipe would be read for ever, and what a link leads to could change unseen.
    opened = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const found = fstatSync(opened, { bigint: true })
    if (!found.isFile()) throw unreadable(file, 'it is no file')
    if (found.size > mostBytes) throw unreadable(file, `it is larger than ${mostBytes / 1024} KiB`)
    const problem = ownershipProblem(found)
    if (problem !== undefined) throw unreadable(file, problem)
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(opened))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'policy.unreadable') throw error
    if (code === 'ELOOP') throw unreadable(file, 'it is a link, and only the file itself is read', error)
    if (error instanceof TypeError) throw unreadable(file, 'it is not UTF-8', error)
    throw unreadable(file, describeFileProblem(error), error)
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}

/** What tells one state of the file from another, and whether it can be relied upon yet. */
export function stampOf(file: string): { stamp: string; settled: boolean } {
  try {
    const found = lstatSync(file, { bigint: true, throwIfNoEntry: false })
    if (!found) return { stamp: 'none', settled: true }
    const { dev, ino, size, mode, mtimeNs, ctimeNs } = found
    const changedMs = Number(ctimeNs / 1_000_000n)
    return { stamp: [dev, ino, size, mode, mtimeNs, ctimeNs].join(), settled: Date.now() - changedMs > settledAfterMs }
  } catch (error) {
    return { stamp: String(error), settled: false }
  }
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof TomlError) throw unreadable(file, `line ${error.line}, column ${error.column}: not TOML`, error)
    throw error
  }
}

/** `rule.2 (line 9).when`: rules are counted from 1, as people do. */
function placeOf([first, second, ...rest]: readonly PropertyKey[], text: string): PropertyKey[] {
  if (first === undefined) return []
  if (first !== 'rule' || typeof second !== 'number') return [first, ...(second === undefined ? [] : [second]), ...rest]
  const line = ruleLines(text)[second]
  return ['rule', line === undefined ? second + 1 : `${second + 1} (line ${line})`, ...rest]
}

/** Where each `[[rule]]` begins. */
function ruleLines(text: string): number[] {
  return text.split('\n').flatMap((line, n) => (/^\s*\[\[\s*rule\s*\]\]/.test(line) ? [n + 1] : []))
}

function unreadable(file: string, problem: string, cause?: unknown): MusterError {
  return failure('policy.unreadable', { file, problem }, cause === undefined ? undefined : { cause })
}
