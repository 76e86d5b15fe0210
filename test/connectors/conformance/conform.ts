// Runs the whole table on one connector and writes what came of it to results/KIND.json, from which docs/connectors.md is made.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, test } from 'vitest'
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

  beforeAll(async () => {
    if (missing === undefined) current = await openSubject(conforming)
  })
  afterAll(async () => {
    await current?.[Symbol.asyncDispose]()
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
            current ??= await openSubject(conforming)
            if (inTurn) {
              await current.fixture.forgetTroubles?.()
              await current.online()
            }
            await one.check(current)
            note(one, { result: 'passed' })
          } catch (error) {
            note(one, { result: 'failed' })
            console.log(`${conforming.kind}: ${title}: ${one.name}\n${tailOf(current?.fixture.log() ?? '')}`)
            // What a case has broken is not left to the next.
            if (inTurn) await renew()
            throw error
          }
        })
      }
    })
  }

  async function renew(): Promise<void> {
    const former = current
    current = undefined
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
