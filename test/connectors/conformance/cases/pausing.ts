// Pausing: a command is held up where it is, with all that it started, and goes on as if nothing had been.

import { expect } from 'vitest'
import { submitRun } from '../../../../src/contract/fleet.ts'
import { cancelRun, listRuns, pauseRun, resumeRun } from '../../../../src/contract/run.ts'
import type { CaseGroup } from '../case.ts'
import { type Counting, startCounting } from '../counting.ts'
import { isGone, isStopped } from '../process-state.ts'
import { linesIn, type Subject } from '../subject.ts'

async function paused(subject: Subject, counting: Counting): Promise<void> {
  const { asked, reaches } = subject
  await asked.call(pauseRun, { run: counting.run })
  await reaches(counting.run, 'paused')
  await standsStill(subject, counting)
}

/** Its process is stopped, so that it counts no more. */
async function standsStill({ eventually }: Subject, { pid }: Counting): Promise<void> {
  await eventually('its process is stopped', async () => ((await isStopped(pid ?? 0)) ? true : undefined))
}

export const pausing: CaseGroup = {
  title: 'pause and resume',
  how: 'together',
  cases: [
    {
      name: 'a paused command stands still, and resumed it goes on to its end',
      async check(subject) {
        const { asked, reaches, ends, events, find } = subject
        const counting = await startCounting(subject)
        const { startedAt } = await find(counting.run)
        await paused(subject, counting)
        const before = await counting.counted()
        await asked.call(resumeRun, { run: counting.run })
        await reaches(counting.run, 'running')
        await counting.goesOn()
        expect(await counting.counted()).toBeGreaterThan(before)
        await counting.stop()
        expect(await ends(counting.run)).toMatchObject({ state: 'succeeded', startedAt, pid: counting.pid })
        const states = (await events(counting.run)).map((event) => (event.type === 'state' ? event.state : event.type))
        expect(states).toEqual(['accepted', 'running', 'paused', 'running', 'succeeded'])
      },
    },
    {
      name: 'nothing is written while it is paused, and what was written is read',
      async check(subject) {
        const counting = await startCounting(subject)
        await paused(subject, counting)
        const before = await counting.counted()
        await subject.outcome('sleep 0.3')
        expect(await counting.counted()).toBe(before)
        await subject.eventually('its lines are read', async () => {
          const lines = (await subject.bytes(counting.run, 'stdout', { limit: 7 })).toString()
          return lines === 'line 1\n' ? true : undefined
        })
        await counting.stop()
        await subject.asked.call(resumeRun, { run: counting.run })
        await subject.ends(counting.run)
      },
    },
    {
      name: 'what it started stands still with it, and goes on with it',
      async check({ shell, asked, reaches, ends, eventually, freshPath }) {
        const pids = freshPath('pids')
        const { id } = await shell(`sleep 60 & echo $! >> ${pids}; wait`)
        await eventually('it has a child', async () => ((await linesIn(pids)).length === 1 ? true : undefined))
        const child = Number((await linesIn(pids))[0])
        await reaches(id, 'running')
        await asked.call(pauseRun, { run: id })
        await eventually('the child is stopped', async () => ((await isStopped(child)) ? true : undefined))
        await asked.call(resumeRun, { run: id })
        await eventually('the child goes on', async () => ((await isStopped(child)) ? undefined : true))
        await asked.call(cancelRun, { run: id })
        await ends(id)
        expect(await isGone(child)).toBe(true)
      },
    },
    {
      name: 'pausing and resuming again change nothing',
      async check(subject) {
        const { asked, reaches, ends, events } = subject
        const counting = await startCounting(subject)
        const { run } = counting
        expect(await asked.call(resumeRun, { run })).toMatchObject({ state: 'running' })
        await paused(subject, counting)
        expect(await asked.call(pauseRun, { run })).toMatchObject({ state: 'paused' })
        await asked.call(resumeRun, { run })
        await reaches(run, 'running')
        await asked.call(resumeRun, { run })
        await counting.stop()
        await ends(run)
        expect((await events(run)).filter((event) => event.type === 'state').length).toBe(4)
      },
    },
    {
      name: 'a paused command that is cancelled can still tidy up, and ends',
      async check({ shell, asked, reaches, ends, bytes, eventually, freshPath }) {
        const ready = freshPath('ready')
        const { id } = await shell(`trap 'echo tidied; exit 0' TERM; echo ready > ${ready}; while :; do sleep 0.05; done`)
        await eventually('it would tidy', async () => ((await linesIn(ready)).length > 0 ? true : undefined))
        await reaches(id, 'running')
        await asked.call(pauseRun, { run: id })
        await reaches(id, 'paused')
        await asked.call(cancelRun, { run: id })
        expect(await ends(id)).toMatchObject({ state: 'cancelled', exit: { code: 0, signal: null } })
        expect((await bytes(id)).toString()).toBe('tidied\n')
      },
    },
    {
      name: 'its timeout counts on while it is paused, and ends it',
      async check({ submit, asked, reaches, ends }) {
        // Long enough to be seen running and be paused before, also through a host that polls.
        const { id } = await submit(['sleep', '60'], { timeoutMs: 10_000 })
        await reaches(id, 'running')
        await asked.call(pauseRun, { run: id })
        expect(await ends(id)).toMatchObject({ state: 'timed_out', exit: { signal: 'SIGTERM' } })
      },
    },
    {
      name: 'a paused command that is killed from outside has ended',
      async check(subject) {
        const counting = await startCounting(subject)
        await paused(subject, counting)
        await subject.submit(['kill', '-KILL', `${counting.pid}`])
        expect(await subject.ends(counting.run)).toMatchObject({ state: 'failed', exit: { signal: 'SIGKILL' } })
      },
    },
    {
      name: 'one that has ended can be neither paused nor resumed',
      async check({ outcome, asked, refuses }) {
        const { run } = await outcome('true')
        await refuses('run.ended', asked.call(pauseRun, { run: run.id }))
        await refuses('run.ended', asked.call(resumeRun, { run: run.id }))
      },
    },
    {
      name: 'one that is not there can be neither paused nor resumed',
      async check({ asked, refuses }) {
        await refuses('run.unknown', asked.call(pauseRun, { run: 'run_that_nobody_has' }))
        await refuses('run.unknown', asked.call(resumeRun, { run: 'run_that_nobody_has' }))
      },
    },
    {
      name: 'a unit of a workflow is paused alone; the workflow waits for it',
      async check(subject) {
        const { hub, host, asked, freshPath, eventually, reaches, ends } = subject
        const stop = freshPath('stop')
        const shell = `while [ ! -e ${stop} ]; do sleep 0.05; done`
        const source = `name: Held\nsteps:\n  - id: only\n    host: ${host}\n    shell: "${shell}"\n`
        const { id } = await hub.call(submitRun, { spec: { kind: 'workflow', file: 'held.yaml', source } })
        const unit = await eventually('its unit runs', async () => {
          const { runs } = await asked.call(listRuns, { parent: id, states: ['running'] })
          return runs[0]
        })
        await asked.call(pauseRun, { run: unit.id })
        await reaches(unit.id, 'paused')
        await subject.outcome(`touch ${stop}`)
        expect(await subject.find(id)).toMatchObject({ state: 'running' })
        await asked.call(resumeRun, { run: unit.id })
        expect(await ends(id)).toMatchObject({ state: 'succeeded' })
      },
    },
  ],
}

export const pausedRestarts: CaseGroup = {
  title: 'pause over restarts',
  how: 'in turn',
  cases: (
    [
      ['the host', ({ fixture }: Subject) => fixture.restartHost()],
      ['the hub', ({ fixture }: Subject) => fixture.restartHub()],
    ] as const
  ).map(([what, restart]) => ({
    name: `${what} is killed while a run is paused: it stands still until it is resumed`,
    async check(subject) {
      const { find, asked, online, reaches, eventually, ends } = subject
      const counting = await startCounting(subject)
      await paused(subject, counting)
      await restart(subject)
      await online()
      expect(await find(counting.run)).toMatchObject({ state: 'paused', pid: counting.pid })
      await standsStill(subject, counting)
      await eventually('it is resumed', () => asked.call(resumeRun, { run: counting.run }))
      await reaches(counting.run, 'running')
      await counting.goesOn()
      await counting.stop()
      expect(await ends(counting.run)).toMatchObject({ state: 'succeeded', pid: counting.pid })
    },
  })),
}
