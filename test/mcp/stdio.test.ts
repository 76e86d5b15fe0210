// `muster mcp` as a client starts it: a process beside a real hub.

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive } from '../resources/alive.ts'
import { makeHome } from '../resources/home.ts'
import { checkout, muster, musterJson, type ServedHub, serveHub, until } from '../resources/muster.ts'
import { modelClient } from './model-client.ts'

let hub: ServedHub
const opened = new AsyncDisposableStack()

beforeAll(async () => {
  const home = opened.use(await makeHome())
  hub = opened.use(await serveHub(home))
})
afterAll(() => opened.disposeAsync())

describe.each(['new', 'old'] as const)('a client of the %s line', (line) => {
  test('runs a command on the hub of this home, and takes what it began with it when it goes', async () => {
    await using files = await makeHome()
    const file = join(files.path, 'pid')
    const model = await modelClient({ line, at: { home: hub.home } })
    expect(model.instructions).toContain('local online')
    expect((await model.tools()).map(({ name }) => name)).toEqual(['environments_list', 'node_invoke', 'node_file'])
    expect(await model.call('node_invoke', { node_id: 'local', command: 'exec', params: { argv: ['echo', 'here'] } })).toContain(
      'here',
    )
    const argv = ['sh', '-c', 'echo $$ > "$1"; exec sleep 120', 'sh', file]
    await model.call('node_invoke', { node_id: 'local', command: 'exec', params: { argv }, wait_s: 0 })
    const pid = await until('it runs', async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined)
    await model[Symbol.asyncDispose]()
    await until('it has ended', async () => (isAlive(pid) ? undefined : true))
  })
})

test('a token of another hub decides which tools there are', async () => {
  const { token } = await musterJson<{ token: string }>(hub.home, ['token', 'create', 'reader', '--role', 'viewer'])
  await using model = await modelClient({
    line: 'new',
    at: { home: '/nonexistent', env: { MUSTER_HUB: hub.url, MUSTER_TOKEN: token } },
  })
  expect((await model.tools()).map(({ name }) => name)).toEqual(['environments_list'])
  expect(await model.call('environments_list')).toContain('local online')
})

test('--instructions prints what a model is told, and fails where no hub answers', async () => {
  const { code, stdout } = await muster(hub.home, ['mcp', '--instructions'])
  expect({ code, online: stdout.includes('local online') }).toEqual({ code: 0, online: true })
  await using empty = await makeHome()
  expect(await muster(empty.path, ['mcp', '--instructions'])).toMatchObject({ code: 6, stdout: '' })
})

test('killed at once, it leaves nothing running either', async () => {
  await using files = await makeHome()
  const file = join(files.path, 'pid')
  const program = spawn(process.execPath, [checkout, 'mcp'], {
    env: { ...process.env, MUSTER_HOME: hub.home },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const say = (message: object) => program.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const clientInfo = { name: 'killed', version: '1' }
  say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } })
  say({ method: 'notifications/initialized' })
  const params = { argv: ['sh', '-c', 'echo $$ > "$1"; exec sleep 120', 'sh', file] }
  say({ id: 2, method: 'tools/call', params: { name: 'node_invoke', arguments: { node_id: 'local', command: 'exec', params } } })
  const pid = await until('it runs', async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined)
  program.kill('SIGKILL')
  await until('it has ended', async () => (isAlive(pid) ? undefined : true))
})

test('without a hub it serves all the same, and each call says what to do; what is kept is there when a hub was killed and is back', async () => {
  await using home = await makeHome()
  await using model = await modelClient({ line: 'new', at: { home: home.path } })
  expect(model.instructions).toContain('No hub answers')
  expect(await model.call('environments_list')).toMatch(/^ERROR hub\.not_running.*muster up/s)
  const first = await serveHub(home)
  expect(await model.call('environments_list')).toContain('local online')
  const argv = ['sh', '-c', 'echo before; exec sleep 60']
  const kept = { node_id: 'local', command: 'exec', params: { argv }, keep: true, wait_s: 1 }
  const handle = /"handle":"([^"]+)"/.exec(await model.call('node_invoke', kept))?.[1]
  await first.kill()
  await using _second = await serveHub(home)
  const later = await until('the hub answers for it', async () => {
    const text = await model.call('node_invoke', { handle, wait_s: 0 })
    return text.includes('running') ? text : undefined
  })
  expect(later).toContain('before')
  expect(await model.call('node_invoke', { handle, cancel: true, wait_s: 60 })).toContain('cancelled')
})

test('it ends with its input', async () => {
  expect((await muster(hub.home, ['mcp'], { input: '' })).code).toBe(0)
})
