// muster up: both hosts, the example, serving, the second start, the end, and up again with the same second host.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { identify } from '../../src/host/process-identity.ts'
import { type Running, type TestHome, testHome } from './muster.ts'

const bind = ['--bind', '127.0.0.1:0']
const served = (running: Running) =>
  vi.waitFor(() => expect(running.stderr()).toContain('until Ctrl-C'), { timeout: 90_000, interval: 100 })

async function hosts(home: TestHome): Promise<{ id: string; name: string; status: string }[]> {
  return JSON.parse((await home.muster(['host', 'list', '--json'])).stdout).hosts
}

test('it shows the example on both hosts, is found by a second start, and leaves nothing behind', async () => {
  await using home = await testHome()
  const up = home.start(['up', ...bind])
  await served(up)
  expect(up.stdout()).toMatch(/^local · survey\[\d+\] \| /m)
  expect(up.stdout()).toMatch(/^second · survey\[\d+\] \| /m)
  expect(up.stdout()).toMatch(/^survey\[\d+\] +second +succeeded/m)
  expect(up.stdout()).toMatch(/: succeeded in /)

  const again = await home.muster(['up'])
  expect(again.code).toBe(0)
  expect(again.stdout).toMatch(
    new RegExp(`^It is up already: the hub is at http://127\\.0\\.0\\.1:\\d+ \\(pid ${up.child.pid}\\)`),
  )

  const [, second] = await hosts(home)
  expect(second).toMatchObject({ name: 'second', status: 'online' })
  expect((await home.muster(['exec', 'second', '--', 'echo', 'over there'])).stdout).toBe('over there\n')
  const { pid } = JSON.parse(await readFile(join(home.dir, 'up', 'second', 'node.json'), 'utf8'))
  expect(await identify(pid)).toBeDefined()

  up.child.kill('SIGINT')
  expect((await up.ended).code).toBe(0)
  expect(await identify(pid)).toBeUndefined()
})

test('the second host joins again after somebody has replaced its token', async () => {
  await using home = await testHome()
  const first = home.start(['up', '--no-work', ...bind])
  await served(first)
  const [, before] = await hosts(home)
  expect((await home.muster(['host', 'token', 'second'])).code).toBe(0)
  first.child.kill('SIGTERM')
  await first.ended
  await served(home.start(['up', '--no-work', ...bind]))
  const [, after] = await hosts(home)
  expect(after).toEqual({ ...after, id: before?.id, status: 'online' })
})

test('the second host is enrolled once, also after a kill, and what runs goes on', async () => {
  await using home = await testHome()
  const first = home.start(['up', '--no-work', ...bind])
  await served(first)
  expect(first.stdout()).toBe('')
  const [, before] = await hosts(home)
  const run = (await home.muster(['exec', 'second', '--detach', '--', 'sleep', '30'])).stdout.trim()
  await vi.waitFor(
    async () => expect(JSON.parse((await home.muster(['run', 'show', run, '--json'])).stdout).state).toBe('running'),
    30_000,
  )
  first.child.kill('SIGKILL')
  await first.ended

  const again = home.start(['up', '--no-work', ...bind])
  await served(again)
  const [, after] = await hosts(home)
  expect(after?.id).toBe(before?.id)
  expect(JSON.parse((await home.muster(['run', 'show', run, '--json'])).stdout).state).toBe('running')

  again.child.kill('SIGTERM')
  const ended = await again.ended
  expect(ended.stderr).toMatch(/1 run goes on/)
  const last = home.start(['up', '--no-work', ...bind])
  await served(last)
  expect((await home.muster(['run', 'cancel', run, '--grace', '0ms'])).code).toBe(2)
  expect((await home.muster(['run', 'cancel', run, '--grace', '1ms'])).code).toBe(0)
  await vi.waitFor(
    async () => expect(JSON.parse((await home.muster(['run', 'show', run, '--json'])).stdout).state).toBe('cancelled'),
    30_000,
  )
})

test('left before its end, the survey goes on at the next start, as the same run', async () => {
  await using home = await testHome()
  const first = home.start(['up', ...bind])
  await vi.waitFor(() => expect(first.stdout()).toMatch(/survey\[\d+\]/), { timeout: 30_000, interval: 20 })
  first.child.kill('SIGINT')
  const left = await first.ended
  const [run] = /run_\w+/.exec(left.stderr) ?? []
  expect(left.stderr).toMatch(new RegExp(`^1 run goes on; .*: ${run}\\.$`, 'm'))

  const again = home.start(['up', ...bind])
  await served(again)
  expect(again.stderr()).toContain('goes on where it was')
  expect(again.stdout()).toContain(`examples/survey.yaml: succeeded in`)
  expect(again.stdout()).toContain(`(${run})`)
})

test('when the reader of what it shows goes away, up ends and takes the second host with it', async () => {
  await using home = await testHome()
  const up = home.start(['up', ...bind])
  await vi.waitFor(() => expect(up.stdout()).not.toBe(''), { timeout: 30_000, interval: 20 })
  const { pid } = JSON.parse(await readFile(join(home.dir, 'up', 'second', 'node.json'), 'utf8'))
  expect(await identify(pid)).toBeDefined()
  up.child.stdout.destroy()
  expect((await up.ended).code).toBe(141)
  expect(await identify(pid)).toBeUndefined()
  expect((await home.muster(['hub', 'status'])).code).toBe(6)
})

test('a taken port is said with the way out', async () => {
  await using one = await testHome()
  await using other = await testHome()
  await one.muster(['hub', 'start', ...bind])
  const { url } = JSON.parse((await one.muster(['hub', 'status', '--json'])).stdout)
  const ended = await other.muster(['up', '--bind', new URL(url).host])
  expect(ended.code).toBe(8)
  expect(ended.stderr).toMatch(/cannot listen on[\s\S]*--bind 127\.0\.0\.1:PORT/)
})
