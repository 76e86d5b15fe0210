// Events: a run's log, numbered without gaps, told once and in order to whoever reads it.

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { hasCode } from '../../../../src/contract/errors.ts'
import { followEvents, type RunEvent } from '../../../../src/contract/event.ts'
import { followFleetEvents } from '../../../../src/contract/fleet-event.ts'
import { testPolicy } from '../../../../src/contract/policy.ts'
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

/** It changes what the host lets anybody do, for a while. */
export const nodeEvents: CaseGroup = {
  title: 'what its node tells',
  how: 'in turn',
  cases: [
    {
      name: 'what its node tells of itself reaches the hub: its policy was changed, and by what',
      async check({ fixture, hub, asked, row, eventually }) {
        const file = join(fixture.home, 'node', 'policy.toml')
        const { id } = await row()
        const told = (count: number) =>
          eventually(`${count} changes are told`, async () => {
            const found = await all(hub.items(followFleetEvents, { topics: ['node.policy_changed'] }))
            const its = found.filter(({ host }) => host === id)
            return its.length >= count ? its : undefined
          })
        await mkdir(join(fixture.home, 'node'), { recursive: true, mode: 0o700 })
        await writeFile(file, 'allow = ["*"]\n', { mode: 0o600 })
        const [written] = await told(1)
        expect(written?.data).toEqual({ by: 'hand', readable: true, added: ['allow *'], removed: [] })
        await rm(file)
        const [, removed] = await told(2)
        expect(removed?.data).toMatchObject({ removed: ['allow *'] })
        // A file that has just gone may be about to be written anew: until that is over nothing may be begun.
        await eventually('it is as it was', () =>
          asked.call(testPolicy, { command: 'exec' }).catch((error) => {
            if (!hasCode(error, 'policy.unreadable')) throw error
            return undefined
          }),
        )
      },
    },
  ],
}
