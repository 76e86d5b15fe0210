// Starting: once, whoever asks how often, and what cannot be started says so.

import { chmod, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { findRun, listFleetRuns, submitRun } from '../../../../src/contract/fleet.ts'
import { getRun, startRun } from '../../../../src/contract/run.ts'
import type { Case, CaseGroup } from '../case.ts'
import { freshRun, linesIn } from '../subject.ts'

const strange = ['two words', 'a"quote', "it's", '$HOME `id`', 'new\nline', 'ünïcödé 🙂', '', '-n', '*']

const refusals: Case[] = (
  [
    ['an empty command line', { argv: [] }],
    ['a program without a name', { argv: [''] }],
    ['an argument with a NUL byte', { argv: ['echo', 'a\0b'] }],
    ['a variable whose name is none', { argv: ['true'], env: { 'not a name': 'x' } }],
    ['a timeout of nothing', { argv: ['true'], timeoutMs: 0 }],
  ] as const
).map(([what, spec]) => ({
  name: `${what} is refused before anything is begun`,
  async check({ hub, host, refuses }) {
    const { argv, ...rest } = { ...spec, argv: [...spec.argv] }
    await refuses('input.invalid', hub.call(submitRun, { host, spec: { kind: 'command', argv, ...rest } }))
  },
}))

export const starting: CaseGroup = {
  title: 'start',
  how: 'together',
  cases: [
    {
      name: 'a command is taken, runs and succeeds',
      async check({ submit, ends, host }) {
        const run = await submit(['true'])
        expect(run).toMatchObject({ host, kind: 'command', title: 'true' })
        expect(await ends(run.id)).toMatchObject({ host, state: 'succeeded', exit: { code: 0, signal: null }, error: null })
      },
    },
    {
      name: 'what was just submitted can be read at once, by its id alone',
      async check({ submit, hub, host }) {
        const { id } = await submit(['true'])
        expect(await hub.call(findRun, { run: id })).toMatchObject({ id, host })
      },
    },
    {
      name: 'what was just started on the host itself can be read at once',
      async check({ asked, host, ends }) {
        const run = freshRun()
        await asked.call(startRun, { run, spec: { kind: 'command', argv: ['true'] } })
        expect(await asked.call(getRun, { run })).toMatchObject({ id: run, host })
        expect(await ends(run)).toMatchObject({ state: 'succeeded' })
      },
    },
    {
      name: 'the same run id with the same spec is the same run, and starts once',
      async check({ asked, freshPath, ends }) {
        const starts = freshPath()
        const request = { run: freshRun(), spec: { kind: 'command' as const, argv: ['sh', '-c', `echo once >> ${starts}`] } }
        const answers = await Promise.all(Array.from({ length: 8 }, () => asked.call(startRun, request)))
        expect(new Set(answers.map(({ id }) => id))).toEqual(new Set([request.run]))
        await ends(request.run)
        expect(await linesIn(starts)).toEqual(['once'])
      },
    },
    {
      name: 'the same run id after its end starts nothing and answers the ended run',
      async check({ asked, freshPath, ends }) {
        const starts = freshPath()
        const request = { run: freshRun(), spec: { kind: 'command' as const, argv: ['sh', '-c', `echo once >> ${starts}`] } }
        await asked.call(startRun, request)
        await ends(request.run)
        expect(await asked.call(startRun, request)).toMatchObject({ id: request.run, state: 'succeeded' })
        expect(await linesIn(starts)).toEqual(['once'])
      },
    },
    {
      name: 'the same run id with another spec is a conflict',
      async check({ asked, ends, refuses }) {
        const run = freshRun()
        await asked.call(startRun, { run, spec: { kind: 'command', argv: ['true'] } })
        await ends(run)
        await refuses('run.conflict', asked.call(startRun, { run, spec: { kind: 'command', argv: ['false'] } }))
      },
    },
    {
      name: 'the same submission key with the same request is the same run',
      async check({ shell, freshPath, ends }) {
        const starts = freshPath()
        const key = freshRun()
        const runs = await Promise.all(Array.from({ length: 8 }, () => shell(`echo once >> ${starts}`, {}, { key })))
        const [first] = runs
        expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
        await ends(first?.id ?? '')
        expect(await linesIn(starts)).toEqual(['once'])
      },
    },
    {
      name: 'the same submission key with another request is a conflict',
      async check({ submit, refuses }) {
        const key = freshRun()
        await submit(['true'], {}, { key })
        await refuses('run.conflict', submit(['false'], {}, { key }))
      },
    },
    {
      name: 'arguments arrive as they are: no shell reads them',
      async check({ submit, ends, bytes }) {
        const { id } = await submit(['printf', '%s\\0', ...strange])
        await ends(id)
        expect((await bytes(id)).toString().split('\0').slice(0, -1)).toEqual(strange)
      },
    },
    {
      name: 'an argument of 100,000 bytes arrives whole',
      async check({ submit, ends, bytes }) {
        const long = 'x'.repeat(100_000)
        const { id } = await submit(['printf', '%s', long])
        await ends(id)
        expect((await bytes(id)).toString()).toBe(long)
      },
    },
    {
      name: 'a run id of 128 characters serves as any other',
      async check({ asked, ends, bytes }) {
        const run = freshRun().padEnd(128, 'x')
        await asked.call(startRun, { run, spec: { kind: 'command', argv: ['echo', 'long'] } })
        await ends(run)
        expect((await bytes(run)).toString()).toBe('long\n')
      },
    },
    {
      name: 'a run id that is a path is refused',
      async check({ asked, refuses }) {
        await refuses('input.invalid', asked.call(startRun, { run: '../away', spec: { kind: 'command', argv: ['true'] } }))
      },
    },
    {
      name: 'a program that is not there fails its run, with the reason',
      async check({ submit, ends }) {
        const { id } = await submit(['no-such-program-anywhere'])
        expect(await ends(id)).toMatchObject({ state: 'failed', error: { code: 'run.spawn_failed' }, pid: null })
      },
    },
    {
      name: 'a file that may not be executed fails its run, with the reason',
      async check({ submit, ends, freshPath }) {
        const file = freshPath('plain.sh')
        await writeFile(file, '#!/bin/sh\n')
        await chmod(file, 0o600)
        const { id } = await submit([file])
        expect(await ends(id)).toMatchObject({ state: 'failed', error: { code: 'run.spawn_failed' } })
      },
    },
    ...refusals,
    {
      name: 'a unit of a workflow runs on it',
      async check({ hub, host, ends, bytes }) {
        const source = `name: One\nsteps:\n  - id: only\n    host: ${host}\n    run: [echo, from the unit]\n`
        const { id } = await hub.call(submitRun, { spec: { kind: 'workflow', file: 'one.yaml', source } })
        expect(await ends(id)).toMatchObject({ state: 'succeeded', error: null })
        const { runs } = await hub.call(listFleetRuns, { parent: id })
        expect(runs).toMatchObject([{ host, state: 'succeeded', parent: { run: id, step: 'only' } }])
        expect((await bytes(runs[0]?.id ?? '')).toString()).toBe('from the unit\n')
      },
    },
  ],
}
