// Endings: by a code, by a signal, and when.

import { constants } from 'node:os'
import { expect } from 'vitest'
import type { Case, CaseGroup } from '../case.ts'

const codes: Case[] = [0, 1, 2, 3, 126, 127, 137, 255].map((code) => ({
  name: `exit code ${code}`,
  async check({ outcome }) {
    const { run } = await outcome(`exit ${code}`)
    expect(run).toMatchObject({ state: code === 0 ? 'succeeded' : 'failed', exit: { code, signal: null }, error: null })
  },
}))

const signals: Case[] = (['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM', 'SIGSEGV'] as const).map((signal) => ({
  name: `killed by ${signal}`,
  async check({ outcome }) {
    const { run } = await outcome(`kill -${constants.signals[signal]} $$; sleep 10`)
    expect(run).toMatchObject({ state: 'failed', exit: { code: null, signal } })
  },
}))

export const ending: CaseGroup = {
  title: 'exit',
  how: 'together',
  cases: [
    ...codes,
    ...signals,
    {
      name: 'it was created, then started, then ended',
      async check({ outcome }) {
        const { run } = await outcome('sleep 0.2')
        const [created, started, ended] = [run.createdAt, run.startedAt, run.endedAt].map((time) => Date.parse(time ?? ''))
        expect(started).toBeGreaterThanOrEqual(created ?? Number.NaN)
        expect((ended ?? Number.NaN) - (started ?? Number.NaN)).toBeGreaterThanOrEqual(200)
      },
    },
    {
      name: 'its pid is that of the command',
      async check({ outcome }) {
        const { run, stdout } = await outcome('echo $$')
        expect(run.pid).toBe(Number(stdout))
      },
    },
    {
      name: 'what it left in the background does not hold up its end',
      async check({ outcome, submit }) {
        const { run, stdout } = await outcome('sleep 60 & echo $!')
        expect(run).toMatchObject({ state: 'succeeded' })
        await submit(['kill', stdout.trim()])
      },
    },
  ],
}
