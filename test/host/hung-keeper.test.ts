// A keeper that is there and does nothing, a disk that refuses a directory, and what many runs leave behind.

import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { cancelRun, getRun } from '../../src/contract/run.ts'
import { identify } from '../../src/host/process-identity.ts'
import { eventually } from '../resources/eventually.ts'
import { makeTestHome, openTestHost } from './host-fixture.ts'

/** The keeper's own start is in it. */
const startsWithin = { timeout: 30_000 }

test('a hung keeper does not keep a process from being killed', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  await box.start('stuck', { argv: ['sleep', '600'] })
  const pid = await vi.waitFor(async () => {
    const run = await box.caller.call(getRun, { run: 'stuck' })
    expect(run.state).toBe('running')
    return run.pid as number
  }, startsWithin)
  const keeper = (await home.keeperPid()) as number
  process.kill(keeper, 'SIGSTOP')
  await box.caller.call(cancelRun, { run: 'stuck', graceMs: 0 })
  await vi.waitFor(async () => expect(await identify(pid)).toBeUndefined(), { timeout: 30_000 })
  process.kill(keeper, 'SIGKILL')
  expect((await box.ended('stuck')).state).toBe('cancelled')
})

test('a run whose directory cannot be made is not accepted, and can be started later', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  const inTheWay = join(home.dir, 'runs', 'later')
  await writeFile(inTheWay, '')
  await expect(box.start('later', { argv: ['true'] })).rejects.toMatchObject({ code: 'store.unavailable' })
  await rm(inTheWay)
  await box.start('later', { argv: ['true'] })
  expect((await box.ended('later')).state).toBe('succeeded')
})

test.runIf(process.platform === 'linux')('runs leave no open files behind, in host and keeper', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  const openIn = async (pid: number | string) => (await readdir(`/proc/${pid}/fd`)).length
  const many = async (round: string) => {
    const ids = Array.from({ length: 30 }, (_, i) => `${round}-${i}`)
    for (const run of ids) await box.start(run, { argv: ['/bin/sh', '-c', 'echo out; echo err >&2'], stdin: 'open' })
    for (const run of ids) expect((await box.ended(run)).state).toBe('succeeded')
    for (const run of ids) expect((await box.output(run)).toString()).toBe('out\n')
  }
  await many('first')
  const keeper = (await home.keeperPid()) as number
  const before = { host: await openIn('self'), keeper: await openIn(keeper) }
  for (const round of ['second', 'third', 'fourth']) await many(round)
  await eventually(async () => {
    expect(await openIn('self')).toBeLessThanOrEqual(before.host + 2)
    expect(await openIn(keeper)).toBeLessThanOrEqual(before.keeper + 2)
  })
})
