// What a host says of itself, and how its hub lists it.

import { writeFile } from 'node:fs/promises'
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os'
import { expect } from 'vitest'
import { getHostInfo, showHost } from '../../../../src/contract/host.ts'
import { procManagers } from '../../../../src/contract/proc.ts'
import { isTerminal, listRuns, RunState } from '../../../../src/contract/run.ts'
import { protocolVersion, softwareVersion } from '../../../../src/wire/protocol.ts'
import type { CaseGroup } from '../case.ts'

const minuteMs = 60_000
const liveStates = RunState.options.filter((state) => !isTerminal(state))

export const about: CaseGroup = {
  title: 'info',
  how: 'together',
  cases: [
    {
      name: 'it is listed by its name, with its connector and how it is reached',
      async check({ row, host, kind }) {
        const { name, label, connector, id } = await row()
        expect(name).toBe(host)
        expect(id).toMatch(/^(local|host_[0-9A-Z]{26})$/)
        expect(connector).toBe(kind)
        // `local`, `https://…`, `ssh:…`
        expect(label).toMatch(new RegExp(`^${kind}(s?:.|$)`))
      },
    },
    {
      name: 'while its link is up it is online, with since when, and was seen just now',
      async check({ row }) {
        const { status, since, reason, lastSeenAt } = await row()
        expect(status).toBe('online')
        expect(Date.parse(since ?? '')).toBeLessThanOrEqual(Date.now())
        expect(reason).toBeNull()
        expect(Math.abs(Date.now() - Date.parse(lastSeenAt ?? ''))).toBeLessThan(minuteMs)
      },
    },
    {
      name: 'it is found by its name without regard to case',
      async check({ hub, host }) {
        expect(await hub.call(showHost, { host: host.toUpperCase() })).toMatchObject({ name: host })
      },
    },
    {
      name: 'it is found by its id',
      async check({ hub, host, row }) {
        const { id } = await row()
        expect(await hub.call(showHost, { host: id })).toMatchObject({ id, name: host })
      },
    },
    {
      name: 'another name is an error that says so',
      async check({ hub, refuses }) {
        await refuses('host.unknown', hub.call(showHost, { host: 'nowhere' }))
      },
    },
    {
      name: 'it says its version and protocol',
      async check({ asked }) {
        expect(await asked.call(getHostInfo, {})).toMatchObject({ version: softwareVersion, protocol: protocolVersion })
      },
    },
    {
      name: 'it says what machine it is: system, architecture, cores, memory, name',
      async check({ asked }) {
        expect(await asked.call(getHostInfo, {})).toMatchObject({
          platform: platform(),
          arch: arch(),
          cores: availableParallelism(),
          memoryBytes: totalmem(),
          hostname: hostname(),
        })
      },
    },
    {
      name: 'its clock can be compared',
      async check({ asked }) {
        const { clock } = await asked.call(getHostInfo, {})
        expect(Math.abs(Date.parse(clock) - Date.now())).toBeLessThan(minuteMs)
      },
    },
    {
      name: 'it says which kinds of run it carries and what it lets its hub do',
      async check({ asked, row }) {
        const { kinds, allows, backends } = await asked.call(getHostInfo, {})
        expect(kinds).toContain('command')
        expect(allows).toContain('runs')
        // By which the hub knows it too, whether it has asked it just now or not.
        expect(backends).toEqual(procManagers)
        expect((await row()).info).toMatchObject({ backends })
      },
    },
    {
      name: 'a live run is counted',
      async check({ asked, shell, reaches, ends, eventually, freshPath }) {
        const stop = freshPath('stop')
        const lasting = `while [ ! -e ${stop} ]; do sleep 0.05; done`
        const ids = [(await shell(lasting)).id, (await shell(lasting)).id]
        for (const id of ids) await reaches(id, 'running')
        const live = async () => {
          const { runs } = await asked.call(listRuns, { states: liveStates, limit: 1_000 })
          return runs.map(({ id }) => id)
        }
        // Other cases begin and end runs meanwhile: asked between two lists that are the same.
        const counted = async () => {
          const before = await live()
          const { activeRuns } = await asked.call(getHostInfo, {})
          return `${await live()}` === `${before}` && activeRuns === before.length ? before : undefined
        }
        expect(await eventually('they are counted', counted)).toEqual(expect.arrayContaining(ids))
        await writeFile(stop, '')
        for (const id of ids) expect(await ends(id)).toMatchObject({ state: 'succeeded' })
        for (const id of ids) expect(await eventually('they are counted no more', counted)).not.toContain(id)
      },
    },
    {
      name: 'the hub shows it with what it says now',
      async check({ hub, host }) {
        const { info } = await hub.call(showHost, { host })
        expect(info).toMatchObject({ version: softwareVersion, arch: arch() })
      },
    },
  ],
}
