import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { findByEnvironment, groupLives, identify, identifyChild, isAlive } from './process-identity.ts'

function sleeper(env: NodeJS.ProcessEnv = process.env) {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true, env })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('a process keeps its identity, and has none once it has ended', async () => {
  const child = sleeper()
  const identity = await identify(child.pid as number)
  expect(identity?.pid).toBe(child.pid)
  expect(await identify(child.pid as number)).toEqual(identity)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await identify(child.pid as number)).toBeUndefined()
})

test('another start time is another process, even with the same pid', async () => {
  const child = sleeper()
  const identity = await identify(child.pid as number)
  if (!identity) throw new Error('the sleeper is not alive')
  expect(await isAlive(identity)).toBe(true)
  expect(await isAlive({ ...identity, startTime: `${identity.startTime}0` })).toBe(false)
})

test.runIf(process.platform === 'linux')('a zombie has ended, but a child can be identified before it is reaped', async () => {
  const child = spawn('true', { stdio: 'ignore' })
  const pid = child.pid as number
  // This turn of the loop does not end, so nobody reaps it while we look.
  const until = Date.now() + 200
  while (Date.now() < until);
  expect(identifyChild(pid)?.pid).toBe(pid)
  await once(child, 'exit')
  expect(await identify(pid)).toBeUndefined()
})

test.runIf(process.platform === 'linux')('a session leader is found by a variable of its environment', async () => {
  const mark = `run-${process.pid}-${Date.now()}`
  const child = sleeper({ PATH: process.env.PATH, MUSTER_TEST_MARK: mark })
  const found = await eventually(async () => {
    const identity = await findByEnvironment([`MUSTER_TEST_MARK=${mark}`])
    expect(identity).toBeDefined()
    return identity
  })
  expect(found?.pid).toBe(child.pid)
  expect(await findByEnvironment([`MUSTER_TEST_MARK=${mark}x`])).toBeUndefined()
})

test.runIf(process.platform === 'linux')(
  'a group lives as long as it has a member that has not ended; a zombie has',
  async () => {
    const living = sleeper()
    expect(await groupLives(living.pid as number)).toBe(true)
    // Leads a group of its own and ends; its parent, by then a sleep, never reaps it.
    const parent = spawn('sh', ['-c', "setsid sh -c 'echo $$' & exec sleep 600"], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void parent.kill('SIGKILL'))
    const [line] = await once(parent.stdout, 'data')
    const leader = Number(line)
    await vi.waitFor(async () => expect(await groupLives(leader)).toBe(false), 30_000)
    expect(process.kill(-leader, 0)).toBe(true)
  },
)
