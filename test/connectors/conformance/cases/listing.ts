// Lists: whole, in order, in pages, by what is asked for. What is not there is said to be not there.

import { expect } from 'vitest'
import { listFleetRuns } from '../../../../src/contract/fleet.ts'
import { followLog } from '../../../../src/contract/output.ts'
import { cancelRun, getRun, listRuns } from '../../../../src/contract/run.ts'
import type { CaseGroup } from '../case.ts'
import { all, freshRun, type Subject } from '../subject.ts'

/** Runs that have ended, of one parent that nothing else has, oldest first. */
async function family({ submit, ends }: Subject, count: number): Promise<{ parent: string; ids: string[] }> {
  const parent = freshRun()
  const ids: string[] = []
  for (let at = 0; at < count; at++) {
    const argv = at % 2 === 0 ? ['true'] : ['false']
    ids.push((await submit(argv, {}, { parent: { run: parent, step: 'step', index: at } })).id)
  }
  await Promise.all(ids.map(ends))
  return { parent, ids }
}

/** On however busy a machine: a host that is late is named instead, which is another case. */
const unhurried = { deadlineMs: 30_000 }

const nowhere = 'run_that_nobody_has'

export const listing: CaseGroup = {
  title: 'list',
  how: 'together',
  cases: [
    {
      name: 'runs are listed newest first',
      async check(subject) {
        const { parent, ids } = await family(subject, 4)
        const { runs } = await subject.hub.call(listFleetRuns, { parent, ...unhurried })
        // By when the host took them: those that wait together are started together, in whichever order.
        const times = runs.map(({ createdAt }) => createdAt)
        expect(times).toEqual(times.toSorted().toReversed())
        expect(runs.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
      },
    },
    {
      name: 'pages follow each other without a gap or a repeat',
      async check(subject) {
        const { parent, ids } = await family(subject, 5)
        const seen: string[] = []
        let before: string | undefined
        do {
          const { runs, next } = await subject.hub.call(listFleetRuns, {
            parent,
            ...unhurried,
            limit: 2,
            ...(before !== undefined && { before }),
          })
          seen.push(...runs.map(({ id }) => id))
          before = next ?? undefined
        } while (before !== undefined)
        const { runs: all } = await subject.hub.call(listFleetRuns, { parent, ...unhurried })
        expect(seen).toEqual(all.map(({ id }) => id))
        expect(seen.toSorted()).toEqual(ids.toSorted())
      },
    },
    {
      name: 'a list of states has no other',
      async check(subject) {
        const { parent, ids } = await family(subject, 4)
        const { runs } = await subject.hub.call(listFleetRuns, { parent, states: ['failed'], ...unhurried })
        expect(runs.map(({ id }) => id).toSorted()).toEqual([ids[1], ids[3]].toSorted())
      },
    },
    {
      name: "the list of this host alone has its runs, and the host's own list has the same",
      async check(subject) {
        const { hub, asked, host } = subject
        const { parent, ids } = await family(subject, 3)
        const { runs } = await hub.call(listFleetRuns, { host, parent, ...unhurried })
        expect(runs.map(({ id }) => id)).toEqual(ids.toReversed())
        expect((await asked.call(listRuns, { parent })).runs).toEqual(runs)
      },
    },
    {
      name: 'a run is shown in a list as it is shown alone',
      async check(subject) {
        const { parent, ids } = await family(subject, 1)
        const { runs } = await subject.hub.call(listFleetRuns, { parent, ...unhurried })
        expect(runs).toEqual([await subject.find(ids[0] ?? '')])
        expect(runs[0]).toMatchObject({ parent: { run: parent, step: 'step', index: 0 } })
      },
    },
    {
      name: 'a list of what nobody has is empty, and everybody has answered',
      async check({ hub, host }) {
        expect(await hub.call(listFleetRuns, { host, parent: nowhere, ...unhurried })).toEqual({
          runs: [],
          next: null,
          unanswered: [],
        })
      },
    },
    {
      name: 'a run that is not there is an error, also for its events, output and log',
      async check({ asked, events, bytes, refuses }) {
        await refuses('run.unknown', asked.call(getRun, { run: nowhere }))
        await refuses('run.unknown', events(nowhere))
        await refuses('run.unknown', bytes(nowhere))
        await refuses('run.unknown', all(asked.items(followLog, { run: nowhere })))
      },
    },
    {
      name: 'a run that is not there cannot be cancelled',
      async check({ asked, refuses }) {
        await refuses('run.unknown', asked.call(cancelRun, { run: nowhere }))
      },
    },
  ],
}
