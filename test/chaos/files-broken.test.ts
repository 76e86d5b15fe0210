// Copies through what breaks: the way to the hub cut at random offsets, hub and node killed in the middle, a full disk. Each is whole at the
// end, with the SHA-256 of its source, and of what had come next to nothing was sent again.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileLimits } from '../../src/contract/file.ts'
import { copyFiles } from '../../src/transfer/copy.ts'
import { filesHere } from '../../src/transfer/here.ts'
import { joinNode, makeHome, rejoinNode, type Served, serveHub, start, until } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'
import { clientOf } from './client.ts'
import { canMount, makeSmallDisk } from './small-disk.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const mebi = 1024 * 1024
const allow = ['runs', 'file.*']

async function directory(): Promise<AsyncDisposable & { readonly path: string; file(name: string): string }> {
  const path = await mkdtemp(join(tmpdir(), 'muster-copies-'))
  return { path, file: (name) => join(path, name), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('cut at random offsets, both ways, it always completes with the right digest, and a cut costs less than a chunk', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'box', nodeHome, { allow })
  await using dir = await directory()
  await using proxy = await openProxy(hub.url)
  using client = await clientOf(hub, proxy.url)
  const random = seededRandom()
  const bytes = randomBytes(48 * mebi)
  await writeFile(dir.file('file'), bytes)
  const here = { caller: filesHere(), name: '', id: 'here' }
  const box = { caller: client.host('box'), name: 'box', id: 'box' }
  const full = trials(100, 6)
  let cuts = 0
  let sentAgain = 0
  for (let n = 0; cuts < full; n++) {
    const [from, to] = n % 2 === 0 ? [here, box] : [box, here]
    let cutAt = random() * 16 * mebi
    const { copied, problems, sentBytes } = await copyFiles({
      sources: [{ side: from, path: n % 2 === 0 ? dir.file('file') : 'file' }],
      target: { side: to, path: n % 2 === 0 ? 'file' : dir.file('back') },
      intoDirectory: false,
      recursive: false,
      again: true,
      replace: true,
      dryRun: false,
      signal: new AbortController().signal,
      onProgress: ({ bytes: come }) => {
        if (come < cutAt || cuts >= full || come >= bytes.length) return
        cutAt = come + 64 * 1024 + random() * 16 * mebi
        cuts++
        proxy.cut()
      },
    })
    expect({ problems, copied }, `seed ${seed}`).toMatchObject({ problems: [], copied: [{ sha256: sha256(bytes) }] })
    sentAgain += sentBytes - bytes.length
  }
  expect((await readFile(dir.file('back'))).equals(bytes)).toBe(true)
  expect((await readFile(join(nodeHome.path, 'host/workspaces/file'))).equals(bytes)).toBe(true)
  report(`files: ${cuts} cuts, ${Math.round(sentAgain / cuts / 1024)} KiB sent again a cut (seed ${seed})`)
  expect(sentAgain / cuts).toBeLessThan(fileLimits.chunkBytes)
}, 600_000)

/** Of what has come, beside the target. */
async function stagedIn(dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => [])
  const part = names.find((name) => name.endsWith('.part'))
  return part === undefined ? 0 : ((await stat(join(dir, part)).catch(() => undefined))?.size ?? 0)
}

test('hub and node killed in the middle: the same command goes on by itself once they are back', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using dir = await directory()
  const bytes = randomBytes(32 * mebi)
  await writeFile(dir.file('file'), bytes)
  let hub = await serveHub(home)
  const bind = new URL(hub.url).host
  // So slow that there is a middle.
  const proxy = await openProxy(hub.url, { bytesPerSecond: 8 * mebi })
  let node: Served = await joinNode(hub, 'box', nodeHome, { allow, via: proxy.url })
  const workspaces = join(nodeHome.path, 'host/workspaces')
  try {
    const copy = start(home.path, ['cp', dir.file('file'), 'box:', '--json'])
    const comes = (atLeast: number) =>
      until(`${atLeast} bytes have come`, async () => ((await stagedIn(workspaces)) >= atLeast ? true : undefined), copy)
    await comes(4 * mebi)
    await hub.kill()
    hub = await serveHub(home, { bind })
    await comes(12 * mebi)
    await node.kill()
    node = await rejoinNode(hub, 'box', nodeHome, { allow, via: proxy.url })
    await copy.ended
    const { copied, sentBytes } = JSON.parse(copy.log().slice(copy.log().indexOf('{')))
    expect(copied).toMatchObject([{ bytes: bytes.length, sha256: sha256(bytes) }])
    expect((await readFile(join(workspaces, 'file'))).equals(bytes)).toBe(true)
    expect(sentBytes - bytes.length).toBeLessThan(2 * fileLimits.chunkBytes)
    expect(await readdir(workspaces)).toEqual(['file'])
    report(`files: hub and node killed once each, ${Math.round((sentBytes - bytes.length) / 1024)} KiB sent again`)
  } finally {
    await node.kill()
    await hub.kill()
    await proxy[Symbol.asyncDispose]()
  }
}, 600_000)

test.runIf(canMount)('a disk that is full at the target ends the copy and says so; with room the same goes on', async () => {
  await using disk = makeSmallDisk(24)
  await using dir = await directory()
  const bytes = randomBytes(12 * mebi)
  await writeFile(dir.file('file'), bytes)
  disk.fill(6 * mebi)
  const here = { caller: filesHere(), name: '', id: 'here' }
  const copy = () =>
    copyFiles({
      sources: [{ side: here, path: dir.file('file') }],
      target: { side: here, path: join(disk.path, 'copy') },
      intoDirectory: false,
      recursive: false,
      again: false,
      replace: true,
      dryRun: false,
      signal: new AbortController().signal,
    })
  const { problems } = await copy()
  expect(problems).toMatchObject([{ error: { code: 'file.unwritable', message: expect.stringContaining('the disk is full') } }])
  disk.free()
  const { copied, resumedBytes } = await copy()
  expect(copied).toMatchObject([{ sha256: sha256(bytes) }])
  expect(resumedBytes).toBeGreaterThan(0)
  expect((await readFile(join(disk.path, 'copy'))).equals(bytes)).toBe(true)
})
