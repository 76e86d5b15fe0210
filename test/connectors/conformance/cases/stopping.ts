// Ending a run that would go on: asked for, in each of its states, or by its timeout.

import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { cancelRun } from '../../../../src/contract/run.ts'
import type { CaseGroup } from '../case.ts'
import { isGone } from '../process-state.ts'
import { linesIn } from '../subject.ts'

const minuteMs = 60_000

export const stopping: CaseGroup = {
  title: 'cancel and timeout',
  how: 'together',
  cases: [
    {
      name: 'a running command is asked to end and is cancelled',
      async check({ submit, reaches, asked, ends }) {
        const { id } = await submit(['sleep', '60'])
        await reaches(id, 'running')
        expect((await asked.call(cancelRun, { run: id })).state).toMatch(/stopping|cancelled/)
        expect(await ends(id)).toMatchObject({ state: 'cancelled', exit: { code: null, signal: 'SIGTERM' }, error: null })
      },
    },
    {
      name: 'one that was just submitted is cancelled, wherever it is on its way',
      async check({ submit, asked, ends }) {
        const { id } = await submit(['sleep', '60'])
        await asked.call(cancelRun, { run: id })
        expect(await ends(id)).toMatchObject({ state: 'cancelled' })
      },
    },
    {
      name: 'one that does not heed SIGTERM is killed after the grace',
      async check({ shell, reaches, asked, ends, freshPath, eventually }) {
        const ready = freshPath('ready')
        const { id } = await shell(`trap '' TERM; echo ready > ${ready}; while :; do sleep 0.1; done`)
        await reaches(id, 'running')
        await eventually('it heeds nothing', async () => ((await linesIn(ready)).length > 0 ? true : undefined))
        await asked.call(cancelRun, { run: id, graceMs: 300 })
        expect(await ends(id)).toMatchObject({ state: 'cancelled', exit: { code: null, signal: 'SIGKILL' } })
      },
    },
    {
      name: 'without a grace it is killed at once',
      async check({ submit, reaches, asked, ends }) {
        const { id } = await submit(['sleep', '60'])
        await reaches(id, 'running')
        await asked.call(cancelRun, { run: id, graceMs: 0 })
        expect(await ends(id)).toMatchObject({ state: 'cancelled', exit: { code: null, signal: 'SIGKILL' } })
      },
    },
    {
      name: 'one that ends with code 0 when it is asked to is cancelled all the same',
      async check({ shell, reaches, asked, ends, bytes, freshPath, eventually }) {
        const ready = freshPath('ready')
        const { id } = await shell(`trap 'echo tidied; exit 0' TERM; echo ready > ${ready}; while :; do sleep 0.05; done`)
        await reaches(id, 'running')
        await eventually('it would tidy', async () => ((await linesIn(ready)).length > 0 ? true : undefined))
        await asked.call(cancelRun, { run: id })
        expect(await ends(id)).toMatchObject({ state: 'cancelled', exit: { code: 0, signal: null } })
        expect((await bytes(id)).toString()).toBe('tidied\n')
      },
    },
    {
      name: 'what it started is ended with it',
      async check({ shell, reaches, asked, ends, freshPath, eventually }) {
        const pids = freshPath('pids')
        const { id } = await shell(`sleep 60 & echo $! >> ${pids}; sh -c 'sleep 60' & echo $! >> ${pids}; wait`)
        await reaches(id, 'running')
        await eventually('both have begun', async () => ((await linesIn(pids)).length === 2 ? true : undefined))
        await asked.call(cancelRun, { run: id })
        expect(await ends(id)).toMatchObject({ state: 'cancelled' })
        for (const pid of await linesIn(pids)) expect(await isGone(Number(pid)), pid).toBe(true)
      },
    },
    {
      name: 'asking again while it stops changes nothing',
      async check({ shell, reaches, asked, ends, events, freshPath, eventually }) {
        const [ready, end] = [freshPath('ready'), freshPath('end')]
        const stopping = `while [ ! -e ${end} ]; do sleep 0.05; done; exit 7`
        const { id } = await shell(`trap '${stopping}' TERM; echo ready > ${ready}; while :; do sleep 0.05; done`)
        await reaches(id, 'running')
        await eventually('it would take its time', async () => ((await linesIn(ready)).length > 0 ? true : undefined))
        await Promise.all([0, 1, 2].map(() => asked.call(cancelRun, { run: id, graceMs: 2 * minuteMs })))
        await writeFile(end, '')
        expect(await ends(id)).toMatchObject({ state: 'cancelled' })
        const stops = (await events(id)).filter((event) => event.type === 'state' && event.state === 'stopping')
        expect(stops).toMatchObject([{ reason: 'cancel', graceMs: 2 * minuteMs }])
      },
    },
    {
      name: 'one that has ended cannot be cancelled, and stays as it ended',
      async check({ outcome, asked, refuses, find }) {
        const { run } = await outcome('exit 3')
        await refuses('run.ended', asked.call(cancelRun, { run: run.id }))
        expect(await find(run.id)).toEqual(run)
      },
    },
    {
      name: 'one that was cancelled cannot be cancelled again',
      async check({ submit, reaches, asked, ends, refuses }) {
        const { id } = await submit(['sleep', '60'])
        await reaches(id, 'running')
        await asked.call(cancelRun, { run: id })
        await ends(id)
        await refuses('run.ended', asked.call(cancelRun, { run: id }))
      },
    },
    {
      name: 'at its timeout it is stopped, and says so',
      async check({ submit, ends, events }) {
        const { id } = await submit(['sleep', '60'], { timeoutMs: 2_000 })
        const run = await ends(id)
        expect(run).toMatchObject({ state: 'timed_out', exit: { signal: 'SIGTERM' }, error: { code: 'run.timed_out' } })
        expect(Date.parse(run.endedAt ?? '') - Date.parse(run.startedAt ?? '')).toBeGreaterThanOrEqual(1_900)
        expect((await events(id)).findLast((event) => event.type === 'state' && event.state === 'stopping')).toMatchObject({
          reason: 'timeout',
        })
      },
    },
    {
      name: 'what ends before its timeout is not touched by it',
      async check({ submit, ends }) {
        const { id } = await submit(['sleep', '0.2'], { timeoutMs: minuteMs })
        expect(await ends(id)).toMatchObject({ state: 'succeeded', error: null })
      },
    },
    {
      name: 'what it wrote before its timeout is kept',
      async check({ shell, ends, bytes }) {
        const { id } = await shell('echo early; sleep 60', { timeoutMs: 5_000 })
        await ends(id)
        expect((await bytes(id)).toString()).toBe('early\n')
      },
    },
  ],
}
