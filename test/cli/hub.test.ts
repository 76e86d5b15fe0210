// The hub as a process: in the background, in the foreground, killed, reached with a token.

import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { identify } from '../../src/host/process-identity.ts'
import { testHome } from './muster.ts'

const bind = ['--bind', '127.0.0.1:0']

test('start, status, start again, stop, stop again', async () => {
  await using home = await testHome()
  expect(await home.muster(['hub', 'status'])).toMatchObject({ code: 6, stdout: expect.stringMatching(/^No hub is running/) })
  const started = await home.muster(['hub', 'start', ...bind])
  expect(started).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(/^The hub is ready at http:\/\/127\.0\.0\.1:\d+ \(pid \d+\)\.\n$/),
  })
  const status = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout)
  expect(status).toMatchObject({
    running: true,
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[1-9]/),
    pid: expect.any(Number),
  })
  const again = await home.muster(['hub', 'start', ...bind])
  expect(again).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(`A hub is already running on this home, at ${status.url} (pid ${status.pid})`),
  })
  expect(await home.muster(['hub', 'stop'])).toMatchObject({
    code: 0,
    stdout: `The hub (pid ${status.pid}) has stopped; runs go on.\n`,
  })
  expect(await identify(status.pid)).toBeUndefined()
  expect(await home.muster(['hub', 'stop'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^No hub is running/) })
})

test('a home that is named relative to here is this one, also for the hub in the background', async () => {
  await using home = await testHome()
  const here = { cwd: dirname(home.dir), env: { MUSTER_HOME: basename(home.dir) } }
  expect(await home.muster(['hub', 'start', ...bind], here)).toMatchObject({ code: 0, stderr: '' })
  expect((await home.muster(['hub', 'status'])).code).toBe(0)
  await expect(stat(join(home.dir, basename(home.dir)))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('what a home holds is for its owner alone', async () => {
  await using home = await testHome()
  await home.muster(['hub', 'start', ...bind])
  for (const [file, mode] of [
    ['.', 0o700],
    ['hub', 0o700],
    ['hub/hub.json', 0o600],
    ['hub/hub.log', 0o600],
    ['hub/hub.sock', 0o600],
  ] as const) {
    expect((await stat(join(home.dir, file))).mode & 0o777, file).toBe(mode)
  }
})

test('a hub that was killed leaves a stale record, which doctor names and the next start replaces', async () => {
  await using home = await testHome()
  await home.muster(['hub', 'start', ...bind])
  const { pid } = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout)
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(async () => expect((await home.muster(['hub', 'status'])).code).toBe(6), 30_000)
  const doctor = await home.muster(['doctor'])
  expect(doctor.code).toBe(0)
  expect(doctor.stdout).toMatch(/warn\s+hub\.json: the hub that it names \(pid \d+\) is gone/)
  expect((await home.muster(['host', 'list'])).code).toBe(6)
  expect((await home.muster(['hub', 'start', ...bind])).code).toBe(0)
  expect((await home.muster(['doctor'])).stdout).toMatch(/ok\s+hub: it answers/)
})

test('an address that is taken is said with the way out, and by start as well', async () => {
  await using first = await testHome()
  await using second = await testHome()
  await first.muster(['hub', 'start', ...bind])
  const { url } = JSON.parse((await first.muster(['hub', 'status', '--json'])).stdout)
  const taken = ['--bind', new URL(url).host]
  for (const command of ['serve', 'start']) {
    const ended = await second.muster(['hub', command, ...taken])
    expect(ended.code).toBe(8)
    expect(ended.stderr).toMatch(/The hub cannot listen on 127\.0\.0\.1:\d+[\s\S]*hint: Choose another with `--bind/)
  }
})

test('serve tells its address as JSON at once and stops on SIGTERM with 0', async () => {
  await using home = await testHome()
  const running = home.start(['hub', 'serve', ...bind, '--json'])
  await vi.waitFor(
    () => expect(JSON.parse(running.stdout())).toMatchObject({ pid: running.child.pid, urls: [expect.any(String)] }),
    30_000,
  )
  running.child.kill('SIGTERM')
  const ended = await running.ended
  expect(ended.code).toBe(0)
  for (const line of ended.stderr.trimEnd().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), time: expect.any(String) })
  await expect(stat(join(home.dir, 'hub', 'hub.json'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('up says of a hub that was started otherwise only what works there', async () => {
  await using home = await testHome()
  await home.muster(['hub', 'start', ...bind])
  const { code, stdout } = await home.muster(['up'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^It is up already: .* Try:$/m)
  expect(stdout).toContain('exec local -- uname -a')
  expect(stdout).not.toMatch(/second|Ctrl-C/)
})

test('from elsewhere a token is needed, and its role counts', async () => {
  await using home = await testHome()
  const token = 'operator-token-of-this-test'
  const started = await home.muster(['hub', 'start', ...bind, '--token-stdin'], { stdin: `${token}\n` })
  expect(started.code).toBe(0)
  const { url } = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout)
  const away = (MUSTER_TOKEN?: string) => ({ env: { MUSTER_HOME: '/nonexistent', MUSTER_HUB: url, MUSTER_TOKEN } })
  expect(await home.muster(['host', 'list'], away())).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('This hub wants a token'),
  })
  expect(await home.muster(['host', 'list'], away('wrong'))).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('not known'),
  })
  expect(await home.muster(['exec', 'local', '--', 'echo', 'hi'], away(token))).toMatchObject({ code: 0, stdout: 'hi\n' })
  const viewer = await home.muster(['token', 'create', 'looker'])
  expect(viewer.stdout).toMatch(/^\S+\n$/)
  const looks = viewer.stdout.trim()
  expect((await home.muster(['host', 'list'], away(looks))).code).toBe(0)
  expect(await home.muster(['exec', 'local', '--', 'true'], away(looks))).toMatchObject({
    code: 255,
    stderr: expect.stringContaining('the role viewer does not have'),
  })
  const [row] = JSON.parse((await home.muster(['token', 'list', '--json'])).stdout).tokens
  expect(row).toMatchObject({ name: 'looker', role: 'viewer', revokedAt: null })
  expect((await home.muster(['token', 'revoke', row.id])).stdout).toContain('revoked: looker')
  expect((await home.muster(['host', 'list'], away(looks))).code).toBe(3)
  expect(await home.muster(['token', 'revoke', 'nothing'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('There is no token nothing'),
  })
  expect(await readFile(join(home.dir, 'hub', 'hub.log'), 'utf8')).not.toContain(token)
})
