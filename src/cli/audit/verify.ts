// `muster audit verify` and `muster node audit verify`: a log, or an export of one.

import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { AuditEntry, AuditHead, verifyAudit } from '../../contract/audit.ts'
import { exitCode, failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { describeIssue } from '../../contract/implementation.ts'
import type { OutputOf } from '../../contract/operation.ts'
import { chainStart, checkChain, readPlace, showPlace } from '../../store/audit-chain.ts'
import { check } from '../arguments.ts'
import type { Action, Outcome } from '../perform.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { hubLog, type LogSource, nodeLog } from './log.ts'

interface VerifyOptions {
  readonly head?: string
  readonly file?: string
  readonly from?: string
}

type Verdict = OutputOf<typeof verifyAudit>

const placeHint = 'It is what `muster audit verify` printed as the head, such as 120:4f6a…, whole.'

type Verify = Action<VerifyOptions, []>

export const verify: Verify = (terminal, options) => verifyIn(hubLog, terminal, options)
export const verifyOwn: Verify = (terminal, options) => verifyIn(nodeLog, terminal, options)

async function verifyIn(source: LogSource, terminal: Terminal, { head, file, from }: VerifyOptions): Promise<Outcome> {
  const noted = head === undefined ? undefined : check(AuditHead, head, 'The head', placeHint)
  const first = from === undefined ? undefined : check(AuditHead, from, 'The entry before', placeHint)
  if (first !== undefined && file === undefined) {
    throw failure('cli.usage', { problem: '--from is for --file.', hint: 'A log itself is checked from its beginning.' })
  }
  if (file !== undefined) return outcomeOf(await checkFile(resolve(terminal.cwd, file), noted, first))
  await using opened = await source(terminal)
  return outcomeOf(await opened.log.call(verifyAudit, noted === undefined ? {} : { head: noted }))
}

function outcomeOf(verdict: Verdict): Outcome {
  const { entries, firstBad, head } = verdict
  const kept = head === null ? '' : `\nhead: ${head}`
  const text = firstBad
    ? `entry ${firstBad.n} is bad: ${printable(firstBad.why)}`
    : `${entries === 1 ? '1 entry' : `${entries} entries`}, each as it was written${kept}`
  return { json: verdict, text, exit: firstBad ? exitCode.workFailed : exitCode.ok }
}

/** Throws `file.unreadable`. */
async function checkFile(file: string, noted: string | undefined, first: string | undefined): Promise<Verdict> {
  const from = first === undefined ? chainStart : readPlace(first)
  const chain = checkChain({ from, noted: noted === undefined ? [] : [readPlace(noted)] })
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      const entry = AuditEntry.safeParse(parseLine(line))
      // A key that is there twice, say, is read one way here and another way elsewhere.
      if (entry.success && JSON.stringify(entry.data) !== line) chain.refuse('its line is not as it was written')
      else if (entry.success) chain.take(entry.data)
      else chain.refuse(`it is no entry: ${entry.error.issues.map(describeIssue).join('; ')}`)
    }
  } catch (error) {
    throw failure('file.unreadable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
  const { entries, firstBad, head } = chain.end()
  return { entries, ok: firstBad === null, firstBad, head: head.n === 0 ? null : showPlace(head) }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
