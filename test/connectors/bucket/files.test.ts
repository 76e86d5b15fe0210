// Files through a bucket into which somebody else can write: what the hub has asked, put back later, and what they ask themselves, places
// nothing on the host.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seal } from '../../../src/connectors/bucket/envelope.ts'
import { askKey } from '../../../src/connectors/bucket/keys.ts'
import { lookAtFile } from '../../../src/contract/file.ts'
import { copyFiles } from '../../../src/transfer/copy.ts'
import { filesHere } from '../../../src/transfer/here.ts'
import { temporaryIdentity } from '../../../src/wire/identity.ts'
import { makeHome, until } from '../../resources/muster.ts'
import { hostName, openBucketHub } from './fixture.ts'

test('who may write objects and has no key places no file, nor an older one again', { timeout: 300_000 }, async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const dir = await mkdtemp(join(tmpdir(), 'muster-bucket-files-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  bucket.worker(box.path, ['--allow', 'file.*'])
  const caller = bucket.hub.client.host(hostName)
  const asks = join(bucket.dir, 'q/ask')
  const seen = new Map<string, Buffer>()
  const look = async () => {
    for (const id of await readdir(asks).catch(() => []))
      if (!seen.has(id))
        await readFile(join(asks, id)).then(
          (bytes) => seen.set(id, bytes),
          () => undefined,
        )
  }
  await until('its worker is here', async () => {
    const looked = await caller.call(lookAtFile, { path: '', for: 'write' }, { timeoutMs: 60_000 }).catch(() => undefined)
    return looked && true
  })
  const copy = async (content: Buffer) => {
    await writeFile(join(dir, 'file'), content)
    const looking = setInterval(() => void look(), 5)
    try {
      return await copyFiles({
        sources: [{ side: { caller: filesHere(), name: '', id: 'here' }, path: join(dir, 'file') }],
        target: { side: { caller, name: hostName, id: hostName }, path: 'file' },
        intoDirectory: false,
        recursive: false,
        again: true,
        replace: true,
        dryRun: false,
        signal: new AbortController().signal,
      })
    } finally {
      clearInterval(looking)
    }
  }
  const [former, newer] = [randomBytes(1000), randomBytes(1000)]
  expect((await copy(former)).problems).toEqual([])
  const ofFormer = [...seen]
  // They have seen what places a file, too.
  for (const operation of ['file.put', 'file.keep'])
    expect(ofFormer.some(([, bytes]) => bytes.includes(`"${operation}"`))).toBe(true)
  expect((await copy(newer)).problems).toEqual([])
  const workspaces = join(box.path, 'host/workspaces')
  expect((await readFile(join(workspaces, 'file'))).equals(newer)).toBe(true)

  await mkdir(asks, { recursive: true })
  for (const [id, bytes] of ofFormer) await writeFile(join(asks, id), bytes)
  const forger = temporaryIdentity()
  const target = { path: 'forged', transfer: '0'.repeat(32) }
  const sha256 = createHash('sha256').update(former).digest('hex')
  const forged: [string, string, unknown][] = [
    ['01M7YZJS43XX2ZEKE2N7SMDY00', 'file.put', { ...target, offset: 0 }],
    [
      '01M7YZJS43XX2ZEKE2N7SMDY01',
      'file.keep',
      { ...target, bytes: former.length, sha256, mode: 0o777, modifiedAt: '2026-01-01T00:00:00Z' },
    ],
  ]
  for (const [id, operation, input] of forged) {
    const key = askKey(id)
    const message = { type: 'ask', run: id, operation, input, validUntil: Date.now() + 3600_000 }
    const file = join(bucket.dir, key)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, seal({ host: bucket.hostId, key }, { identity: forger }, message, [former]))
  }
  // What is asked after them is answered: by then all of that was looked at, twice.
  for (let n = 0; n < 2; n++) await caller.call(lookAtFile, { path: 'file' }, { timeoutMs: 60_000 })
  expect((await readFile(join(workspaces, 'file'))).equals(newer)).toBe(true)
  expect(await readdir(workspaces)).toEqual(['file'])
})
