// Runs the whole table on one connector. Where that is asked for (scripts/connector-matrix.ts asks), what came of it is written to
// results/KIND.json, from which docs/connectors.md is made.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, test } from 'vitest'
import type { Case } from './case.ts'
import { caseGroups } from './cases/table.ts'
import { differenceOf } from './difference.ts'
import type { Conforming } from './fixture.ts'
import type { CaseResult, Results } from './results.ts'
import { openSubject, type Subject } from './subject.ts'

export function conform(conforming: Conforming): void {
  const missing = conforming.missing()
  const results = new Map<string, CaseResult>()
  let current: (Subject & AsyncDisposable) | undefined
  let opening: Promise<Subject & AsyncDisposable> | undefined

  // Opened by whichever case comes first, and not before all: what cannot be opened fails the cases, and skips none.
  const open = async () => {
    opening ??= openSubject(conforming)
    current = await opening
    return current
  }
  afterAll(async () => {
    await close()
    if (!process.env.MUSTER_KEEP_RESULTS) return
    const groups = caseGroups.map(({ title, cases }) => ({
      title,
      cases: cases.flatMap(({ name }) => results.get(keyOf(title, name)) ?? []),
    }))
    // A part of the table, as `-t` asks for, is no result.
    if (groups.every((group, at) => group.cases.length === caseGroups[at]?.cases.length)) save({ kind: conforming.kind, groups })
  })

  for (const { title, how, cases } of caseGroups) {
    const inTurn = how === 'in turn'
    const note = ({ name }: Case, result: Omit<CaseResult, 'name'>) => results.set(keyOf(title, name), { name, ...result })
    const applicable = cases.filter((one) => {
      const reason = differenceOf(one, conforming)
      if (reason !== undefined) note(one, { result: 'skipped', reason })
      return reason === undefined
    })
    // A case that makes no sense on a connector is none of its tests, and no skipped one.
    if (applicable.length === 0) continue
    describe(title, { concurrent: !inTurn }, () => {
      for (const one of applicable) {
        test(one.name, async (context) => {
          if (missing !== undefined) return context.skip(missing)
          try {
            const subject = await open()
            if (inTurn) {
              await subject.fixture.forgetTroubles?.()
              await subject.online()
            }
            await one.check(subject)
            note(one, { result: 'passed' })
          } catch (error) {
            note(one, { result: 'failed' })
            console.log(`${conforming.kind}: ${title}: ${one.name}\n${tailOf(current?.fixture.log() ?? '')}`)
            // What a case has broken is not left to the next.
            if (inTurn) await close()
            throw error
          }
        })
      }
    })
  }

  /** The next case opens another. */
  async function close(): Promise<void> {
    const former = current
    current = undefined
    opening = undefined
    await former?.[Symbol.asyncDispose]()
  }
}

function keyOf(title: string, name: string): string {
  return `${title}: ${name}`
}

function save(results: Results): void {
  const file = fileURLToPath(new URL(`results/${results.kind}.json`, import.meta.url))
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}

const tailLines = 60

function tailOf(log: string): string {
  return log.split('\n').slice(-tailLines).join('\n')
}
