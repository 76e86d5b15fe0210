// `node_file`: bytes go between the model's side and a host, and paths and a digest are all that the model sees.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServedTestHub, serveTestHub } from '../hub/served-hub.ts'
import { type Home, makeHome } from '../resources/home.ts'
import { type ModelClient, modelClient } from './model-client.ts'

const opened = new AsyncDisposableStack()
let served: ServedTestHub
let work: Home
let token: string

beforeAll(async () => {
  served = opened.use(await serveTestHub())
  work = opened.use(await makeHome())
  token = (await served.person('operator')).token
  opened.use(await served.join('box', undefined, ['runs', 'file.*']))
})
afterAll(() => opened.disposeAsync())

const overStdio = (): Promise<ModelClient> =>
  modelClient({
    line: 'new',
    at: { home: '/nonexistent', env: { MUSTER_HUB: served.url, MUSTER_TOKEN: token }, args: ['--root', work.path] },
  })

test('pushes and pulls without a byte before the model, and says how much came with which digest', async () => {
  await using model = await overStdio()
  const bytes = randomBytes(3 * 1024 * 1024)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await writeFile(join(work.path, 'model.bin'), bytes)
  const pushed = await model.call('node_file', {
    node: 'box',
    direction: 'push',
    local_path: join(work.path, 'model.bin'),
    remote_path: 'model.bin',
  })
  expect(pushed).toContain(`"bytes":${bytes.length}`)
  expect(pushed).toContain(`"sha256":"${sha256}"`)
  expect(pushed.length).toBeLessThan(1_000)
  const back = join(work.path, 'back.bin')
  const pulled = await model.call('node_file', { node: 'box', direction: 'pull', local_path: back, remote_path: 'model.bin' })
  expect(pulled).toContain(sha256)
  expect((await readFile(back)).equals(bytes)).toBe(true)
})

test('a directory goes whole, and what is there is replaced only where that was asked for', async () => {
  await using model = await overStdio()
  const tree = join(work.path, 'tree')
  await mkdir(join(tree, 'deep'), { recursive: true })
  await writeFile(join(tree, 'a'), 'first')
  await writeFile(join(tree, 'deep', 'b'), 'second')
  expect(await model.call('node_file', { node: 'box', direction: 'push', local_path: tree, remote_path: 'tree' })).toContain(
    '"files":2',
  )
  await writeFile(join(tree, 'a'), 'another text')
  const one = { node: 'box', direction: 'push', local_path: join(tree, 'a'), remote_path: 'tree/a' }
  expect(await model.call('node_file', one)).toContain('overwrite')
  expect(await model.call('node_file', { ...one, overwrite: true })).toContain('"bytes":12')
})

test.each([
  ["outside of what is the model's", { local_path: '/etc/hostname' }],
  ['by way of a link', { local_path: 'LINK' }],
  ['up out of it', { local_path: '../x' }],
])('nothing goes that lies %s', async (_what, { local_path }) => {
  await using model = await overStdio()
  const link = join(work.path, 'link')
  await symlink('/etc/hostname', link).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const answer = await model.call('node_file', {
    node: 'box',
    direction: 'push',
    local_path: local_path === 'LINK' ? link : local_path,
    remote_path: 'stolen',
  })
  expect(answer).toMatch(/^ERROR |"failed":1/)
  expect(
    await model.call('node_file', { node: 'box', direction: 'pull', local_path: join(work.path, 'got'), remote_path: 'stolen' }),
  ).toMatch(/^ERROR /)
})

test("over /mcp what is local is the hub's own machine, by what it permits", async () => {
  await using model = await modelClient({ line: 'new', at: { url: served.url, token } })
  expect(
    await model.call('node_file', {
      node: 'box',
      direction: 'pull',
      local_path: '/tmp/muster-nothing',
      remote_path: 'model.bin',
    }),
  ).toContain('ERROR file.outside')
  expect(
    await model.call('node_file', { node: 'box', direction: 'pull', local_path: 'fetched.bin', remote_path: 'model.bin' }),
  ).toContain('"direction":"pull"')
})

test('a host that does not expose its files says so', async () => {
  await using _closed = await served.join('closed')
  await using model = await overStdio()
  const answer = await model.call('node_file', {
    node: 'closed',
    direction: 'pull',
    local_path: join(work.path, 'x'),
    remote_path: 'x',
  })
  expect(answer).toContain('ERROR policy.denied')
  expect(answer).toContain('muster node expose file.read')
})
