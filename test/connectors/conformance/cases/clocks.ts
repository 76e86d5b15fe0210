// The host's clock is an hour off: nothing is given up, kept waiting or told backwards for it.

import { expect } from 'vitest'
import { getHostInfo } from '../../../../src/contract/host.ts'
import type { Case, CaseGroup } from '../case.ts'
import { startCounting } from '../counting.ts'
import { approve, ask, sensitive } from './approvals.ts'

const hourMs = 3_600_000
const minuteMs = 60_000

const skews: Case[] = (
  [
    ['fast', hourMs],
    ['slow', -hourMs],
  ] as const
).flatMap(([way, offByMs]) => [
  {
    name: `an hour ${way}: runs are carried, time out after their own time, and end after they began; what is approved runs`,
    async check(subject) {
      const { fixture, traits, online, eventually, asked, row, outcome, submit, ends } = subject
      await fixture.restartHost(offByMs)
      await online()
      await eventually('it goes by that clock', async () => {
        const { clock } = await asked.call(getHostInfo, {})
        return Math.abs(Date.parse(clock) - Date.now() - offByMs) < minuteMs ? true : undefined
      })
      // A host that polls is asked each minute and when its hub starts, and nobody waits for the minute here.
      if (traits.deferred) {
        await fixture.restartHub()
        await online()
      }
      // Where the hub itself is the host, they go by one clock.
      const fromHubMs = fixture.apart ? offByMs : 0
      await eventually('its hub says how far off it is', async () => {
        const { clockOffsetMs } = await row()
        return clockOffsetMs !== null && Math.abs(clockOffsetMs - fromHubMs) < minuteMs ? true : undefined
      })
      const { run, stdout } = await outcome('echo on time', { timeoutMs: minuteMs })
      expect({ state: run.state, stdout }).toEqual({ state: 'succeeded', stdout: 'on time\n' })
      expect(Date.parse(run.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(run.startedAt ?? ''))
      expect(Date.parse(run.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(run.createdAt))
      const begunMs = performance.now()
      const late = await ends((await submit(['sleep', '60'], { timeoutMs: 1_000 })).id)
      expect(late).toMatchObject({ state: 'timed_out' })
      expect(performance.now() - begunMs).toBeGreaterThan(900)
      const command = sensitive(subject)
      const question = await ask(subject, command)
      await approve(subject, question.approval)
      expect(await question.outcome).toMatchObject({ code: 0 })
      expect(await command.ran()).toBe(1)
      await fixture.restartHost()
      await online()
    },
  },
  {
    name: `an hour ${way}, from one moment to the next: a run that goes on is not ended for it`,
    async check(subject) {
      const { fixture, online, find } = subject
      const counting = await startCounting(subject)
      await fixture.restartHost(offByMs)
      await online()
      await counting.goesOn()
      expect(await find(counting.run)).toMatchObject({ state: 'running', pid: counting.pid })
      await fixture.restartHost()
      await online()
      await counting.stop()
      await counting.endsWhole()
    },
  },
])

export const clocks: CaseGroup = { title: 'clock skew', how: 'in turn', cases: skews }
