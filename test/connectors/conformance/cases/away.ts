// The link is cut, the host is dead, frozen, not let in, or of another version: that is said, in time and by its name; the rest is
// intact; and once it is mended, what went on meanwhile is told whole.

import { expect } from 'vitest'
import { listFleetRuns, submitRun } from '../../../../src/contract/fleet.ts'
import { getHostInfo, listHosts, showHost } from '../../../../src/contract/host.ts'
import { cancelRun, pauseRun, startRun } from '../../../../src/contract/run.ts'
import type { Case, CaseGroup } from '../case.ts'
import { startCounting, watch } from '../counting.ts'
import type { Apart } from '../fixture.ts'
import { freshRun, linesIn, type Subject } from '../subject.ts'

/** What the hub promises for its lists by default, and what a busy machine may add. */
const listDeadlineMs = 2_000
const allowanceMs = 8_000

/** The host is away in one of these ways. */
const absences: Record<string, { begin: (apart: Apart) => Promise<void> | void; end: (apart: Apart) => Promise<void> | void }> = {
  'the link is cut': { begin: (apart) => apart.cut(), end: (apart) => apart.mend() },
  'the host is dead': { begin: (apart) => apart.killHost(), end: (apart) => apart.startHost() },
  'the host is not let in any more': { begin: (apart) => apart.unauthorise(), end: (apart) => apart.authorise() },
  'the host speaks no version of ours': { begin: (apart) => apart.mismatch(), end: (apart) => apart.match() },
}

/** Somebody asks it something meanwhile, as people do: a link over which nothing is said may break unseen. */
async function goesOffline({ eventually, row, asked }: Subject): Promise<void> {
  await eventually('it is seen to be away', async () => {
    await asked.call(getHostInfo, {}, { timeoutMs: 500 }).catch(() => undefined)
    return (await row()).status === 'offline' ? true : undefined
  })
}

/** Refused by name, and nothing of it comes later. Where the host polls, what is asked waits for it instead. */
async function cannotBeControlled({ asked, refuses, traits }: Subject, run: string): Promise<void> {
  if (traits.deferred) return
  for (const control of [cancelRun, pauseRun])
    await within(listDeadlineMs + allowanceMs, refuses('host.offline', asked.call(control, { run })))
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  const begunMs = performance.now()
  const done = await work
  expect(performance.now() - begunMs).toBeLessThan(deadlineMs)
  return done
}

const ofEachAbsence: Case[] = Object.entries(absences).flatMap(([what, { begin, end }]): Case[] => [
  {
    name: `${what}: it is shown offline with a reason, and what is asked of it is refused in time`,
    needs: ['apart'],
    async check(subject) {
      const { apart, row, hub, host, submit, asked, refuses, online } = subject
      await begin(apart())
      await goesOffline(subject)
      expect(await row()).toMatchObject({
        status: 'offline',
        reason: expect.stringMatching(/\S/),
        since: expect.stringMatching(/Z$/),
      })
      await within(listDeadlineMs + allowanceMs, refuses('host.offline', submit(['true'])))
      const start = { run: freshRun(), spec: { kind: 'command' as const, argv: ['true'] } }
      await within(listDeadlineMs + allowanceMs, refuses('host.offline', asked.call(startRun, start)))
      expect(await within(listDeadlineMs + allowanceMs, hub.call(showHost, { host }))).toMatchObject({ status: 'offline' })
      await end(apart())
      await online()
    },
  },
  {
    name: `${what} while a run goes on: the run goes on, and afterwards all of it is told`,
    needs: ['apart'],
    async check(subject) {
      const { apart, online } = subject
      const counting = await startCounting(subject)
      await begin(apart())
      await goesOffline(subject)
      await cannotBeControlled(subject, counting.run)
      await counting.goesOn()
      await end(apart())
      await online()
      await counting.stop()
      await counting.endsWhole()
    },
  },
])

export const away: CaseGroup = {
  title: 'dead, slow, cut off',
  how: 'in turn',
  cases: [
    ...ofEachAbsence,
    {
      name: 'a run of it is shown as it was last known, and since when that is',
      needs: ['apart', 'mirrored'],
      async check(subject) {
        const { apart, find, bytes, eventually, online, ends } = subject
        const counting = await startCounting(subject)
        await eventually('its first lines are copied', async () =>
          (await find(counting.run)).output.stdout > 0 ? true : undefined,
        )
        apart().cut()
        await goesOffline(subject)
        const shown = await find(counting.run)
        expect(shown).toMatchObject({ state: 'running', pid: counting.pid, unreachableSince: expect.stringMatching(/Z$/) })
        expect((await bytes(counting.run, 'stdout', { limit: 7 })).toString()).toBe('line 1\n')
        apart().mend()
        await online()
        await counting.stop()
        expect(await ends(counting.run)).toMatchObject({ unreachableSince: null })
      },
    },
    {
      name: 'the link is cut while readers follow: each is told everything, once',
      needs: ['apart'],
      async check(subject) {
        const { apart, online } = subject
        const counting = await startCounting(subject)
        const watching = await watch(subject, counting.run)
        for (let cuts = 0; cuts < 3; cuts++) {
          apart().cut()
          await counting.goesOn()
          apart().mend()
          await online()
          await counting.goesOn()
        }
        await counting.stop()
        await watching.sawAll(counting)
        await counting.endsWhole()
      },
    },
    {
      name: 'a run ends while the link is cut: its end is told afterwards',
      needs: ['apart'],
      async check(subject) {
        const { apart, online } = subject
        const counting = await startCounting(subject)
        apart().cut()
        await goesOffline(subject)
        await counting.stop()
        apart().mend()
        await online()
        await counting.endsWhole()
      },
    },
    {
      name: 'what is submitted with --queue waits for it, and is started once',
      needs: ['apart'],
      async check(subject) {
        const { apart, shell, find, ends, online, freshPath } = subject
        const starts = freshPath('starts')
        await apart().killHost()
        await goesOffline(subject)
        const { id } = await shell(`echo once >> ${starts}`, {}, { queue: true })
        expect(await find(id)).toMatchObject({ state: 'queued' })
        apart().startHost()
        await online()
        expect(await ends(id)).toMatchObject({ state: 'succeeded' })
        expect(await linesIn(starts)).toEqual(['once'])
      },
    },
    {
      name: 'what waits for it can be cancelled, and is never started',
      needs: ['apart'],
      async check(subject) {
        const { apart, shell, asked, outcome, online, freshPath } = subject
        const starts = freshPath('starts')
        await apart().killHost()
        await goesOffline(subject)
        const { id } = await shell(`echo never >> ${starts}`, {}, { queue: true })
        expect(await asked.call(cancelRun, { run: id })).toMatchObject({ state: 'cancelled' })
        apart().startHost()
        await online()
        await outcome('true')
        expect(await linesIn(starts)).toEqual([])
      },
    },
    {
      name: 'what waited too long for it is given up, and is never started',
      needs: ['apart'],
      async check(subject) {
        const { apart, shell, ends, outcome, online, freshPath } = subject
        const starts = freshPath('starts')
        await apart().killHost()
        await goesOffline(subject)
        const { id } = await shell(`echo never >> ${starts}`, {}, { queue: true, expiresInMs: 1_000 })
        expect(await ends(id)).toMatchObject({ state: 'failed', error: { code: 'run.expired' } })
        apart().startHost()
        await online()
        await outcome('true')
        expect(await linesIn(starts)).toEqual([])
      },
    },
    {
      name: 'the lists name it and have all the rest, within their deadline',
      needs: ['apart'],
      async check(subject) {
        const { apart, hub, host, online } = subject
        const { id } = await hub.call(submitRun, { host: 'local', spec: { kind: 'command', argv: ['true'] } })
        apart().cut()
        await goesOffline(subject)
        const { runs, unanswered } = await within(listDeadlineMs + allowanceMs, hub.call(listFleetRuns, {}))
        expect(runs.map((run) => run.id)).toContain(id)
        expect(unanswered).toMatchObject([{ host }])
        const { hosts } = await within(listDeadlineMs + allowanceMs, hub.call(listHosts, {}))
        expect(hosts.map(({ name, status }) => `${name} ${status}`)).toEqual(['local online', `${host} offline`])
        apart().mend()
        await online()
      },
    },
    {
      name: 'frozen, it holds up no list beyond its deadline; thawed, it answers again',
      needs: ['apart'],
      async check(subject) {
        const { apart, hub, host, online, outcome, traits } = subject
        const { run: known } = await outcome('true')
        const { id } = await hub.call(submitRun, { host: 'local', spec: { kind: 'command', argv: ['true'] } })
        await apart().freeze()
        try {
          const { runs, unanswered } = await within(listDeadlineMs + allowanceMs, hub.call(listFleetRuns, {}))
          expect(runs.map((run) => run.id)).toContain(id)
          // The copy answers for it, or it is named.
          if (traits.mirrored) expect(runs.map((run) => run.id)).toContain(known.id)
          else expect(unanswered).toMatchObject([{ host }])
          await within(listDeadlineMs + allowanceMs, hub.call(showHost, { host }))
          await within(listDeadlineMs + allowanceMs, hub.call(listHosts, {}))
        } finally {
          await apart().thaw()
        }
        await online()
        expect((await outcome('echo again')).stdout).toBe('again\n')
      },
    },
    {
      name: 'a question that it does not answer ends at its deadline',
      needs: ['apart'],
      async check({ apart, asked, refuses, online, outcome }) {
        await apart().freeze()
        try {
          const run = freshRun()
          const started = asked.call(startRun, { run, spec: { kind: 'command', argv: ['true'] } }, { timeoutMs: 500 })
          await within(500 + allowanceMs, refuses('call.deadline', started))
        } finally {
          await apart().thaw()
        }
        await online()
        await outcome('true')
      },
    },
    {
      name: 'a host that answers slowly gets its run done once all the same',
      needs: ['apart'],
      async check({ apart, shell, ends, freshPath, online }) {
        const starts = freshPath('starts')
        await apart().freeze()
        const submitted = shell(`echo once >> ${starts}`)
        // However the submission goes, it is answered before the host is.
        const { id } = await submitted.finally(() => apart().thaw())
        await online()
        expect(await ends(id)).toMatchObject({ state: 'succeeded' })
        expect(await linesIn(starts)).toEqual(['once'])
      },
    },
  ],
}
