import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { getHostInfo } from '../contract/host.ts'
import { type Bound, implement } from '../contract/implementation.ts'
import { describeHost } from '../host/info.ts'
import { healthOf } from '../store/health.ts'
import { askHowItIs, keepAnswer, probe } from './probe.ts'
import { openTestHome, testHost } from './test-parts.ts'

/** Says what a host says, with its clock so far ahead, after so long on the way in each direction. */
function infoOf({ aheadMs = 0, onTheWayMs = 0 }): Bound {
  return implement(getHostInfo, async () => {
    await sleep(onTheWayMs)
    const info = describeHost({ activeRuns: 0, kinds: ['command'], allows: [], catalogSize: null })
    const answer = { ...info, clock: new Date(Date.now() + aheadMs).toISOString() }
    await sleep(onTheWayMs)
    return answer
  })
}

async function measured(host: ReturnType<typeof testHost>, deadlineMs = 30_000) {
  await using home = await openTestHome()
  const { state } = host.connector
  if (state.status !== 'online') throw new Error('the test host is not online')
  const answered = await askHowItIs(state.caller, deadlineMs)
  await keepAnswer(host, answered, home.store)
  return { answered, kept: await healthOf(home.store, host.id) }
}

test.each([-3_600_000, 0, 3_600_000])(
  'a clock that is %s ms ahead is measured against the middle of the round trip',
  async (aheadMs) => {
    const { answered, kept } = await measured(testHost('box', [infoOf({ aheadMs, onTheWayMs: 100 })]))
    expect(answered.roundTripMs).toBeGreaterThanOrEqual(199)
    // Half of what the round trip took longer than it should have is how wrong it can be; never the whole of it.
    expect(Math.abs(answered.clockOffsetMs - aheadMs)).toBeLessThanOrEqual(answered.roundTripMs / 2 - 50)
    expect(kept).toMatchObject({ clockOffsetMs: answered.clockOffsetMs, info: { cores: expect.any(Number) } })
  },
)

test('where questions wait for the next poll, nobody is asked just to see', async () => {
  const host = testHost('box', [infoOf({})], { deferred: true })
  await using home = await openTestHome()
  expect(await probe(host, home.store, 1_000)).toBeNull()
})

test('a host that is slow, away or was never seen is an answer too, with the reason', async () => {
  await using home = await openTestHome()
  const slow = testHost('slow', [infoOf({ onTheWayMs: 5_000 })])
  expect(await probe(slow, home.store, 60)).toMatchObject({ answered: false, problem: expect.stringContaining('60 ms') })
  slow.cut()
  expect(await probe(slow, home.store, 60)).toEqual({ answered: false, roundTripMs: null, problem: 'cut' })
})
