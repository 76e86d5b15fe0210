// Homes that must not be used, and homes that two want to use at once: each is refused with what is wrong and what to do, the right
// exit code, and nothing changed.

import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { joinNode, makeHome, muster, musterJson, serveHub, start } from '../resources/muster.ts'
import { canMount, makeSmallDisk } from './small-disk.ts'

const isRoot = process.getuid?.() === 0
/** Well formed, and of no hub: it is not looked at before the home. */
const token = `mnode_host_01M7YSV1E1QK4B168F7R6P0FHN_${'5a'.repeat(16)}_${'e3'.repeat(32)}`

const openers = {
  'hub serve': ['hub', 'serve', '--bind', '127.0.0.1:0', '--no-open'],
  'hub start': ['hub', 'start', '--bind', '127.0.0.1:0'],
  node: ['node', '--hub', 'ws://127.0.0.1:9', '--allow', 'runs', '--token-stdin'],
} as const

async function place(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-place-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
}

/** Each process that would open the home says `sentence` and a hint, ends with the code, and leaves the home as it is. */
async function expectRefused(home: string, sentence: RegExp, code = 8): Promise<void> {
  for (const [name, args] of Object.entries(openers)) {
    const before = await contentOf(home)
    const refused = await muster(home, args, { input: token })
    expect(refused, name).toMatchObject({ code, stdout: '' })
    expect(refused.stderr, name).toMatch(sentence)
    expect(refused.stderr.trimEnd().split('\n').at(-1), name).toMatch(/^hint: .+(MUSTER_HOME|muster )/)
    expect(await contentOf(home), name).toEqual(before)
  }
}

async function contentOf(dir: string): Promise<unknown> {
  const found = await stat(dir).catch(() => undefined)
  if (!found) return 'nothing'
  if (!found.isDirectory()) return { mode: found.mode, size: found.size }
  const names = (await readdir(dir, { recursive: true })).filter((name) => !/\.(log|db-shm|db-wal)$/.test(name)).sort()
  return { mode: found.mode, uid: found.uid, names }
}

test.runIf(isRoot)("another account's home is refused, also to root", async () => {
  await using parent = await place()
  const home = join(parent.dir, 'home')
  await mkdir(home, { mode: 0o700 })
  await chown(home, 12_345, 12_345)
  await expectRefused(home, /cannot be used: it belongs to the account 12345, and this is 0\./)
  expect((await muster(home, ['doctor'])).stdout).toMatch(/fail {2}MUSTER_HOME: .* belongs to the account 12345/)
})

test('a home that other accounts can look into or write to is refused, with the command that mends it', async () => {
  await using parent = await place()
  for (const mode of [0o755, 0o770]) {
    await chmod(parent.dir, mode)
    await expectRefused(
      parent.dir,
      new RegExp(`other accounts can look into it \\(mode ${mode.toString(8)}\\); \`chmod 700 ${parent.dir}\``),
    )
  }
})

test('a file where the home should be, or on the way to it, is said to be one', async () => {
  await using parent = await place()
  const file = join(parent.dir, 'file')
  await writeFile(file, 'not a home')
  await expectRefused(file, /file cannot be used: it is not a directory\./)
  await expectRefused(join(file, 'home'), /home cannot be used: a part of its path is no directory\./)
  for (const home of [file, join(file, 'home')]) {
    const doctor = await muster(home, ['doctor'])
    expect(doctor).toMatchObject({ code: 8, stdout: expect.stringMatching(/fail {2}MUSTER_HOME: .*directory/) })
    expect(doctor.stdout).not.toMatch(/Muster itself failed/)
  }
})

test.skipIf(!canMount)('a home that can only be read is refused, whether it is new or was in use', async () => {
  await using disk = makeSmallDisk(8)
  disk.remount('ro')
  await expectRefused(disk.path, /cannot be used: it cannot be written: the file system is read-only\./)
  expect((await muster(disk.path, ['doctor'])).stdout).toMatch(/fail {2}MUSTER_HOME: .*the file system is read-only/)
  disk.remount('rw')
  expect(await muster(disk.path, openers['hub start'])).toMatchObject({ code: 0 })
  expect(await muster(disk.path, ['exec', 'local', '--', 'true'])).toMatchObject({ code: 0 })
  expect(await muster(disk.path, ['hub', 'stop'])).toMatchObject({ code: 0 })
  // Its keeper leaves it soon.
  await expect.poll(() => remounts(disk, 'ro'), { timeout: 30_000 }).toBe(true)
  await expectRefused(disk.path, /cannot be used: it cannot be written: the file system is read-only\./)
  disk.remount('rw')
  expect(await muster(disk.path, openers['hub start'])).toMatchObject({ code: 0 })
  expect((await muster(disk.path, ['run', 'list'])).stdout).toContain('succeeded')
})

function remounts(disk: { remount(how: 'ro' | 'rw'): void }, how: 'ro' | 'rw'): boolean {
  try {
    disk.remount(how)
    return true
  } catch {
    return false
  }
}

test.runIf(isRoot)('a home that its owner may not write is refused', async () => {
  await using parent = await place()
  await chmod(parent.dir, 0o755)
  const home = join(parent.dir, 'home')
  await mkdir(home, { mode: 0o500 })
  await chown(home, 12_345, 12_345)
  const served = start(home, openers['hub serve'], {}, '', {
    under: ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups'],
  })
  await served.ended
  expect(served.child.exitCode).toBe(8)
  expect(served.log()).toMatch(/cannot be used: it cannot be written: this account may not\.[\s\S]*hint: /)
  expect(await readdir(home)).toEqual([])
})

test('of two hubs on one home the second is refused, and the first goes on', async () => {
  await using home = await makeHome()
  await using hub = await serveHub(home)
  for (const name of ['hub serve', 'hub start'] as const) {
    expect(await muster(home.path, openers[name])).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/A hub is already running on this home, at http\S+ \(pid \d+\)[\s\S]*hint: .*hub stop/),
    })
  }
  // Even when the record that names the first is gone.
  await rm(join(home.path, 'hub', 'hub.json'))
  expect(await muster(home.path, openers['hub serve'])).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/Another Muster process is using \S+\/hub[\s\S]*hint: /),
  })
  expect(await (await fetch(`${hub.url}/readyz`)).json()).toEqual({ status: 'ready' })
})

test('of two nodes, or a hub and a node, on one home the second is refused, and the first goes on', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using node = await joinNode(hub, 'box', nodeHome)
  const inUse = { code: 5, stderr: expect.stringMatching(/Another Muster process is using \S+\/host[\s\S]*hint: .*MUSTER_HOME/) }
  const dial = ['node', '--hub', hub.url.replace('http', 'ws'), '--allow', 'runs']
  expect(await muster(nodeHome.path, dial)).toMatchObject(inUse)
  expect(await muster(nodeHome.path, openers['hub serve'])).toMatchObject(inUse)
  const { token: other } = await musterJson<{ token: string }>(home.path, ['node', 'enroll', 'other'])
  expect(await muster(home.path, [...dial, '--token-stdin'], { input: other })).toMatchObject(inUse)
  expect(await muster(home.path, ['exec', 'local,box', '--', 'true'])).toMatchObject({ code: 0 })
  expect(() => process.kill(node.pid, 0)).not.toThrow()
})
