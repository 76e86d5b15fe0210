// Hub or host is killed while a run goes on: the run does not notice, and nothing of it is lost or told twice.

import { expect } from 'vitest'
import { cancelRun, startRun } from '../../../../src/contract/run.ts'
import type { Case, CaseGroup } from '../case.ts'
import { startCounting, watch } from '../counting.ts'
import { freshRun, linesIn, type Subject } from '../subject.ts'

const restarts = {
  'the host': ({ fixture }: Subject) => fixture.restartHost(),
  'the hub': ({ fixture }: Subject) => fixture.restartHub(),
}

const scenarios: ((what: string, restart: (subject: Subject) => Promise<void>) => Case)[] = [
  (what, restart) => ({
    name: `${what} is killed and started again while a run goes on: it goes on, and all of it is told`,
    async check(subject) {
      const counting = await startCounting(subject)
      await restart(subject)
      await subject.online()
      expect(await subject.find(counting.run)).toMatchObject({ state: 'running', pid: counting.pid })
      await counting.goesOn()
      await counting.stop()
      await counting.endsWhole()
    },
  }),
  (what, restart) => ({
    name: `${what} is killed while readers follow: each is told everything, once`,
    async check(subject) {
      const counting = await startCounting(subject)
      const watching = await watch(subject, counting.run)
      await restart(subject)
      await subject.online()
      await counting.goesOn()
      await counting.stop()
      await watching.sawAll(counting)
      await counting.endsWhole()
    },
  }),
  (what, restart) => ({
    name: `${what} is killed while a run ends: its end is told`,
    async check(subject) {
      const counting = await startCounting(subject)
      await Promise.all([restart(subject), counting.stop()])
      await counting.endsWhole()
    },
  }),
  (what, restart) => ({
    name: `${what} is killed after a run was taken: the same run id again is the same run, and starts once`,
    async check(subject) {
      const starts = subject.freshPath('starts')
      const request = { run: freshRun(), spec: { kind: 'command' as const, argv: ['sh', '-c', `echo once >> ${starts}`] } }
      await subject.asked.call(startRun, request)
      await restart(subject)
      await subject.online()
      const again = await subject.eventually('it is taken again', () => subject.asked.call(startRun, request))
      expect(again.id).toBe(request.run)
      expect(await subject.ends(request.run)).toMatchObject({ state: 'succeeded' })
      expect(await linesIn(starts)).toEqual(['once'])
    },
  }),
  (what, restart) => ({
    name: `${what} is killed, and a run that went on is cancelled then`,
    async check(subject) {
      const { id } = await subject.submit(['sleep', '60'])
      await subject.reaches(id, 'running')
      await restart(subject)
      await subject.online()
      await subject.eventually('it is asked to end', () => subject.asked.call(cancelRun, { run: id }))
      expect(await subject.ends(id)).toMatchObject({ state: 'cancelled', exit: { signal: 'SIGTERM' } })
    },
  }),
  (what, restart) => ({
    name: `${what} is killed: what had ended before is as it was`,
    async check(subject) {
      const { run, stdout } = await subject.outcome('echo before; exit 9')
      const events = await subject.events(run.id)
      await restart(subject)
      await subject.online()
      expect(await subject.find(run.id)).toEqual(run)
      expect((await subject.bytes(run.id)).toString()).toBe(stdout)
      expect(await subject.events(run.id)).toEqual(events)
    },
  }),
]

/** Of each scenario both, one after the other: a host that loses its hub again and again waits longer each time. */
const afterEither = scenarios.flatMap((scenario) => Object.entries(restarts).map(([what, restart]) => scenario(what, restart)))

export const killed: CaseGroup = {
  title: 'restarts',
  how: 'in turn',
  cases: [
    ...afterEither,
    {
      name: 'the hub is killed while a hundred runs are submitted: each that was taken runs once',
      async check(subject) {
        const starts = subject.freshPath('starts')
        const taken = new Map<string, string>()
        const someTaken = Promise.withResolvers<void>()
        const submissions = Array.from({ length: 100 }, async (_, at) => {
          const { id } = await subject.shell(`echo ${at} >> ${starts}`)
          taken.set(`${at}`, id)
          if (taken.size === 10) someTaken.resolve()
        })
        const answered = Promise.allSettled(submissions)
        await Promise.race([someTaken.promise, answered])
        await subject.fixture.restartHub()
        await answered
        expect(taken.size).toBeGreaterThanOrEqual(10)
        for (const id of taken.values()) expect(await subject.ends(id)).toMatchObject({ state: 'succeeded', error: null })
        const started = await linesIn(starts)
        expect(new Set(started).size).toBe(started.length)
        expect(started).toEqual(expect.arrayContaining([...taken.keys()]))
      },
    },
  ],
}
