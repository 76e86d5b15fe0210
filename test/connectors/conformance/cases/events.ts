// Events: a run's log, numbered without gaps, told once and in order to whoever reads it.

import { expect } from 'vitest'
import { followEvents, type RunEvent } from '../../../../src/contract/event.ts'
import type { CaseGroup } from '../case.ts'
import { all } from '../subject.ts'

function statesOf(events: readonly RunEvent[]): string[] {
  return events.map((event) => (event.type === 'state' ? event.state : event.type))
}

export const events: CaseGroup = {
  title: 'events',
  how: 'together',
  cases: [
    {
      name: 'a run is accepted, running and succeeded, numbered from 1',
      async check({ submit, events }) {
        const { id } = await submit(['true'])
        const seen = await events(id)
        expect(statesOf(seen)).toEqual(['accepted', 'running', 'succeeded'])
        expect(seen.map(({ seq }) => seq)).toEqual([1, 2, 3])
      },
    },
    {
      name: 'the times of events do not go back',
      async check({ shell, events }) {
        const { id } = await shell('sleep 0.1')
        const times = (await events(id)).map(({ at }) => Date.parse(at))
        expect(times).toEqual(times.toSorted((a, b) => a - b))
      },
    },
    {
      name: 'the last event says how it ended and how much it wrote',
      async check({ shell, events }) {
        const { id } = await shell('echo four; exit 4')
        expect((await events(id)).at(-1)).toMatchObject({
          type: 'state',
          state: 'failed',
          exit: { code: 4, signal: null },
          output: { stdout: 5, stderr: 0 },
        })
      },
    },
    {
      name: 'a run knows the number of its last event',
      async check({ submit, events, ends }) {
        const { id } = await submit(['true'])
        const seen = await events(id)
        expect((await ends(id)).lastEvent).toBe(seen.at(-1)?.seq)
      },
    },
    {
      name: 'a reader goes on after the event that it had',
      async check({ submit, events }) {
        const { id } = await submit(['true'])
        const seen = await events(id)
        for (let after = 0; after <= seen.length; after++) expect(await events(id, after)).toEqual(seen.slice(after))
      },
    },
    {
      name: 'readers that come at once are told the same',
      async check({ shell, events }) {
        const { id } = await shell('sleep 0.2')
        const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => events(id)))
        for (const other of others) expect(other).toEqual(first)
      },
    },
    {
      name: 'without following, a reader has what there is and goes',
      async check({ shell, asked, reaches, ends, freshPath }) {
        const stop = freshPath('stop')
        const { id } = await shell(`while [ ! -e ${stop} ]; do sleep 0.05; done`)
        await reaches(id, 'running')
        expect(statesOf(await all(asked.items(followEvents, { run: id })))).toEqual(['accepted', 'running'])
        await shell(`touch ${stop}`)
        await ends(id)
      },
    },
    {
      name: 'a reader may leave while the run goes on',
      async check({ shell, asked, ends, freshPath }) {
        const stop = freshPath('stop')
        const { id } = await shell(`while [ ! -e ${stop} ]; do sleep 0.05; done`)
        for await (const event of asked.items(followEvents, { run: id, follow: true })) {
          if (event.type === 'state' && event.state === 'running') break
        }
        await shell(`touch ${stop}`)
        expect(await ends(id)).toMatchObject({ state: 'succeeded' })
      },
    },
  ],
}
