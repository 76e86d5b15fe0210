// `node_file` through real processes: bytes go between the model's side and a host, by a tunnel whose line breaks, through a bucket and on the
// hub's own machine; paths and a digest are all that the model sees.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Home, makeHome } from '../resources/home.ts'
import { joinNode, muster, musterJson, type ServedHub, serveHub, start, until, untilOnline } from '../resources/muster.ts'
import { type LineProxy, openProxy } from '../resources/proxy.ts'
import { type ModelClient, modelClient } from './model-client.ts'

const mebi = 1024 * 1024
/** Slow enough to be met in the middle of a copy. */
const bytesPerSecond = 24 * mebi

const opened = new AsyncDisposableStack()
let hub: ServedHub
let line: LineProxy
let box: Home
let work: string
let model: ModelClient

beforeAll(async () => {
  const homes = await Promise.all([makeHome(), makeHome(), makeHome(), makeHome()])
  for (const home of homes) opened.use(home)
  const [hubHome, boxHome, dropHome, working] = homes as [Home, Home, Home, Home]
  box = boxHome
  work = join(working.path, 'work')
  await mkdir(work)
  hub = opened.use(await serveHub(hubHome))
  line = opened.use(await openProxy(hub.url, { bytesPerSecond }))
  opened.use(await joinNode(hub, 'box', box, { via: line.url, allow: ['runs', 'file.*'] }))
  const bucket = join(working.path, 'bucket')
  await mkdir(bucket)
  const place = ['--bucket', pathToFileURL(bucket).href, '--prefix', 'drop']
  const { command } = await musterJson<{ command: string }>(hub.home, ['host', 'add', 'drop', ...place, '--no-probe'])
  const MUSTER_TOKEN = /mpull_\w+/.exec(command)?.[0] ?? ''
  const pulling = ['node', 'pull', ...place, '--allow', 'file.*', '--interval', '300ms']
  const drop = opened.use(start(dropHome.path, pulling, { MUSTER_TOKEN }))
  await untilOnline(hub, 'drop', drop)
  model = opened.use(await modelClient({ line: 'new', at: { home: hub.home, args: ['--root', work] } }))
})
afterAll(() => opened.disposeAsync())

/** A file of random bytes in the model's directory. */
async function made(name: string, size: number): Promise<{ path: string; bytes: Buffer; sha256: string }> {
  const bytes = randomBytes(size)
  const path = join(work, name)
  await writeFile(path, bytes)
  return { path, bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const push = (node: string, local_path: string, remote_path: string, more: Record<string, unknown> = {}, by = model) =>
  by.call('node_file', { node, direction: 'push', local_path, remote_path, ...more })
const pull = (node: string, remote_path: string, local_path: string, by = model) =>
  by.call('node_file', { node, direction: 'pull', local_path, remote_path })

/** What has come of a file so far, beside its target. */
async function staged(): Promise<number> {
  const dir = join(box.path, 'host/workspaces')
  const names = await readdir(dir).catch(() => [])
  const sizes = names.filter((name) => name.endsWith('.part')).map((name) => stat(join(dir, name)).then(({ size }) => size))
  return Math.max(0, ...(await Promise.all(sizes)))
}

const begun = () => until('some of it has come', async () => ((await staged()) > mebi ? true : undefined))

/** Nothing more comes. */
async function still(): Promise<number> {
  let before = -1
  let looks = 0
  return await until('nothing more comes', async () => {
    const now = await staged()
    looks = now === before ? looks + 1 : 0
    before = now
    return looks === 10 ? now : undefined
  })
}

test.each(['box', 'drop', 'local'])(
  'pushes to %s and pulls back, and the model sees how much, its digest and paths',
  async (node) => {
    const { path, bytes, sha256 } = await made(`model-${node}`, 3 * mebi + 1)
    const pushed = await push(node, path, `model-${node}`)
    expect(pushed).toContain(`"bytes":${bytes.length}`)
    expect(pushed).toContain(`"sha256":"${sha256}"`)
    expect(pushed).toContain('"direction":"push"')
    expect(pushed.length).toBeLessThan(1_000)
    const back = `${path}-back`
    expect(await pull(node, `model-${node}`, back)).toContain(sha256)
    expect((await readFile(back)).equals(bytes)).toBe(true)
  },
)

test('a directory goes whole; what is there is replaced only where that was asked for, and the same is told from another', async () => {
  const tree = join(work, 'tree')
  await mkdir(join(tree, 'deep'), { recursive: true })
  await writeFile(join(tree, 'a'), 'first')
  await writeFile(join(tree, 'deep', 'b'), 'second')
  expect(await push('box', tree, 'tree')).toContain('"files":2')
  expect(await push('box', tree, 'tree')).toContain('"files":0,"bytes":0,"same":2')
  expect(await push('box', join(tree, 'a'), 'tree/a')).toContain('"same":1')
  await writeFile(join(tree, 'a'), 'another text')
  const refused = await push('box', join(tree, 'a'), 'tree/a')
  expect(refused).toContain('ERROR file.exists')
  expect(refused).toContain('Give overwrite: true')
  expect(await push('box', join(tree, 'a'), 'tree/a', { overwrite: true })).toContain('"bytes":12')
  await writeFile(join(tree, 'a'), 'a third')
  const some = await push('box', `${tree}/deep`, 'tree/deep/..')
  expect(some).toContain('ERROR file.outside')
})

describe('a copy that is broken', () => {
  test('by its line goes on by itself', async () => {
    const { path, bytes, sha256 } = await made('cut', 40 * mebi)
    const copying = push('box', path, 'cut', {})
    await begun()
    line.cut()
    const answer = await copying
    const handle = /"handle":"([^"]+)"/.exec(answer)?.[1]
    const end = handle === undefined ? answer : await model.call('node_invoke', { handle, wait_s: 120 })
    expect(end).toContain(`"sha256":"${sha256}"`)
    expect((await readFile(join(box.path, 'host/workspaces/cut'))).equals(bytes)).toBe(true)
  })

  test('by its client, over stdio, stops there, and the same call of another goes on where it stood', async () => {
    const { path, bytes, sha256 } = await made('left', 40 * mebi)
    const leaving = await modelClient({ line: 'old', at: { home: hub.home, args: ['--root', work] } })
    const copying = push('box', path, 'left', {}, leaving).catch((error: Error) => error)
    await begun()
    await leaving[Symbol.asyncDispose]()
    expect(await copying).toBeInstanceOf(Error)
    const stood = await still()
    expect(stood).toBeLessThan(bytes.length)
    const end = await push('box', path, 'left')
    expect(end).toContain(`"sha256":"${sha256}"`)
    expect(Number(/"resumedBytes":(\d+)/.exec(end)?.[1])).toBeGreaterThan(0)
    expect(await staged()).toBe(0)
  })

  test.each(['new', 'old'] as const)('by a cancellation over /mcp, of the %s line, stops there', async (of) => {
    const { token } = await musterJson<{ token: string }>(hub.home, ['token', 'create', `copies-${of}`, '--role', 'operator'])
    await using overHttp = await modelClient({ line: of, at: { url: hub.url, token } })
    const here = join(hub.home, 'host/workspaces')
    await mkdir(here, { recursive: true })
    const size = 40 * mebi
    await writeFile(join(here, `cancelled-${of}`), randomBytes(size))
    const leaving = new AbortController()
    const copying = overHttp
      .call(
        'node_file',
        { node: 'box', direction: 'push', local_path: `cancelled-${of}`, remote_path: `cancelled-${of}` },
        { signal: leaving.signal },
      )
      .catch((error: Error) => error)
    await begun()
    leaving.abort()
    expect(await copying).toBeInstanceOf(Error)
    expect(await still()).toBeLessThan(size)
    const names = await readdir(join(box.path, 'host/workspaces'))
    expect(names).not.toContain(`cancelled-${of}`)
    const end = await push('box', join(work, 'model-box'), `cancelled-${of}`)
    expect(end).toContain('"files":1')
  })
})

test.each([
  ["outside of what is the model's", '/etc/hostname', 'muster mcp --root /etc'],
  ['by way of a link', 'LINK', 'link'],
  ['up out of it', '../x', 'muster mcp --root'],
])('nothing goes that lies %s, and the model is told what would permit it', async (_what, local_path, permits) => {
  const link = join(work, 'link')
  await symlink('/etc/hostname', link).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const answer = await push('box', local_path === 'LINK' ? link : local_path, 'stolen')
  expect(answer).toMatch(/^ERROR /)
  expect(answer).toContain(permits)
  expect(await pull('box', 'stolen', join(work, 'got'))).toMatch(/^ERROR /)
})

test('a path beyond what a host exposes is refused with what it exposes, and how its owner exposes more', async () => {
  const answer = await pull('box', '/etc/hostname', join(work, 'hostname'))
  expect(answer).toContain(
    `ERROR file.outside: box: /etc/hostname lies in no directory that the host exposes; it exposes ${box.path}`,
  )
  expect(answer).toContain('roots = ["/etc"]')
})

test("over /mcp what is local is the hub's own machine, by what it permits", async () => {
  const { token } = await musterJson<{ token: string }>(hub.home, ['token', 'create', 'remote', '--role', 'operator'])
  await using overHttp = await modelClient({ line: 'new', at: { url: hub.url, token } })
  expect(await pull('box', 'model-box', join(work, 'stolen'), overHttp)).toContain('ERROR file.outside: local: ')
  expect(await pull('box', 'model-box', 'fetched', overHttp)).toContain('"direction":"pull"')
  const [fetched, sent] = await Promise.all(
    [join(hub.home, 'host/workspaces/fetched'), join(work, 'model-box')].map((path) => readFile(path)),
  )
  expect(fetched?.equals(sent as Buffer)).toBe(true)
})

test('a viewer copies nothing, in either direction', async () => {
  const { token } = await musterJson<{ token: string }>(hub.home, ['token', 'create', 'looker', '--role', 'viewer'])
  const env = { MUSTER_HUB: hub.url, MUSTER_TOKEN: token }
  await using viewer = await modelClient({ line: 'new', at: { home: '/nonexistent', env, args: ['--root', work] } })
  expect((await viewer.tools()).map(({ name }) => name)).toEqual(['environments_list'])
  expect(await push('box', join(work, 'model-box'), 'by-viewer', {}, viewer)).toContain('ERROR auth.forbidden')
  expect(await pull('box', 'model-box', join(work, 'by-viewer'), viewer)).toContain('ERROR auth.forbidden')
  const there = [...(await readdir(work)), ...(await readdir(join(box.path, 'host/workspaces')))]
  expect(there.filter((name) => name.includes('by-viewer'))).toEqual([])
})

test('a host that does not expose its files says so', async () => {
  await muster(box.path, ['node', 'hide', 'file.read'])
  const answer = await pull('box', 'model-box', join(work, 'hidden'))
  expect(answer).toContain('ERROR policy.denied')
  expect(answer).toContain('muster node expose file.read')
})
