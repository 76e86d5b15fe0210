// kill -9 on the keeper: runs go on, known by pid and start time; how they end is then not known, and is said so.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { followEvents } from '../../src/contract/event.ts'
import { cancelRun, getRun } from '../../src/contract/run.ts'
import { identify } from '../../src/host/process-identity.ts'
import { seed, seededRandom } from '../resources/seeded.ts'
import { makeTestHome, openTestHost, program, type TestHome, type TestHost } from './host-fixture.ts'

const sh = (line: string) => ['/bin/sh', '-c', line]

/** The keeper's own start is in it. */
const startsWithin = { timeout: 30_000 }

async function running(box: TestHost, run: string): Promise<number> {
  return vi.waitFor(async () => {
    const { state, pid } = await box.caller.call(getRun, { run })
    expect(state).toBe('running')
    return pid as number
  }, startsWithin)
}

async function killKeeper(home: TestHome): Promise<void> {
  const pid = await home.keeperPid()
  if (pid === undefined) throw new Error('there is no keeper')
  process.kill(pid, 'SIGKILL')
  await vi.waitUntil(async () => (await identify(pid)) === undefined, 30_000)
}

test('a run goes on without its keeper, is seen to its end, and is then lost, with all its output', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  const gate = join(home.dir, 'gate')
  await box.start('orphan', { argv: sh(`echo one; while ! test -e ${gate}; do sleep 0.05; done; echo two`) })
  await running(box, 'orphan')
  await killKeeper(home)
  await box.start('next', { argv: ['echo', 'fresh keeper'] })
  expect((await box.ended('next')).state).toBe('succeeded')
  expect((await box.caller.call(getRun, { run: 'orphan' })).state).toBe('running')
  await writeFile(gate, '')
  expect(await box.ended('orphan')).toMatchObject({
    state: 'failed',
    exit: { code: null, signal: null },
    error: { code: 'run.lost' },
    output: { stdout: 8 },
  })
  expect((await box.output('orphan')).toString()).toBe('one\ntwo\n')
})

test('a run without a keeper can be cancelled, also by a reopened host', async () => {
  await using home = await makeTestHome()
  {
    await using box = await openTestHost(home)
    await box.start('stubborn', { argv: [program('ignore-term.sh')] })
    await running(box, 'stubborn')
    await killKeeper(home)
  }
  await using box = await openTestHost(home)
  expect((await box.caller.call(getRun, { run: 'stubborn' })).state).toBe('running')
  await box.caller.call(cancelRun, { run: 'stubborn', graceMs: 300 })
  expect((await box.ended('stubborn')).state).toBe('cancelled')
})

test('a pid that belongs to another process now is not ours, and is left alone', async () => {
  await using home = await makeTestHome()
  let pid: number
  {
    await using box = await openTestHost(home)
    await box.start('forged', { argv: ['sleep', '600'] })
    pid = await running(box, 'forged')
    await killKeeper(home)
  }
  const file = join(home.dir, 'runs', 'forged', 'spawn')
  const record = JSON.parse(await readFile(file, 'utf8'))
  try {
    await writeFile(file, JSON.stringify({ ...record, spawned: { pid, startTime: 'boot:1' } }))
    await using box = await openTestHost(home)
    expect(await box.ended('forged')).toMatchObject({ state: 'failed', error: { code: 'run.lost' } })
    expect(await identify(pid)).toBeDefined()
  } finally {
    process.kill(pid, 'SIGKILL')
  }
})

test('a keeper killed between its claim and its word: a live process is found again, and nothing is started twice', async () => {
  await using home = await makeTestHome()
  let pid: number
  {
    await using box = await openTestHost(home)
    await box.start('found', { argv: ['sleep', '600'] })
    await box.start('vanished', { argv: ['sleep', '600'] })
    pid = await running(box, 'found')
    const gone = await running(box, 'vanished')
    await killKeeper(home)
    process.kill(gone, 'SIGKILL')
    await box.ended('vanished')
  }
  await writeFile(join(home.dir, 'runs', 'found', 'spawn'), '')
  await using box = await openTestHost(home)
  expect(await box.caller.call(getRun, { run: 'found' })).toMatchObject({ state: 'running', pid })
  await box.caller.call(cancelRun, { run: 'found' })
  expect((await box.ended('found')).state).toBe('cancelled')
  expect(await identify(pid)).toBeUndefined()
  const states = []
  for await (const event of box.caller.items(followEvents, { run: 'vanished' }))
    if (event.type === 'state') states.push(event.state)
  expect(states).toEqual(['running', 'failed'])
})

test(`keepers killed at any instant: every run ends, none starts twice, and none that ran is forgotten (seed ${seed})`, async () => {
  const [toNextKill, toNextRun] = [seededRandom(seed), seededRandom(seed + 1)]
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  const starts = join(home.dir, 'starts')
  const ids: string[] = []
  let starting = true
  let kills = 0
  const killing = (async () => {
    while (starting) {
      await delay(toNextKill() * 150)
      const pid = await home.keeperPid()
      if (pid === undefined) continue
      process.kill(pid, 'SIGKILL')
      kills += 1
    }
  })()
  // As many as it takes: on a slow machine a keeper is longer in coming than many runs.
  while (ids.length < 60 || kills < 2) {
    const run = `r${ids.length}`
    ids.push(run)
    await box.start(run, { argv: sh(`echo ${run} >> ${starts}`) })
    await delay(toNextRun() * 50)
  }
  starting = false
  await killing
  const ended = await Promise.all(ids.map((run) => box.ended(run)))
  const started = (await readFile(starts, 'utf8')).trim().split('\n')
  expect(started.length).toBe(new Set(started).size)
  for (const run of ended) {
    if (run.state === 'succeeded') expect(started).toContain(run.id)
    else expect(run.error?.code, run.id).toMatch(/^(run\.lost|proc\.keeper)$/)
    if (run.error?.code === 'proc.keeper') expect(started).not.toContain(run.id)
  }
})
