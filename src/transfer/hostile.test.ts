import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, renameSync } from 'node:fs'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Caller } from '../contract/caller.ts'
import { fileLimits, lookAtFile, scatterFiles, stagedFile, type WalkedFile, walkFiles } from '../contract/file.ts'
import { copyFiles } from './copy.ts'
import { encodeRecord } from './records.ts'
import { breaking, request, type TestSide, testSide } from './test-sides.ts'

async function sides(): Promise<[TestSide, TestSide]> {
  const both: [TestSide, TestSide] = [await testSide('from'), await testSide('to')]
  onTestFinished(async () => {
    for (const side of both) await side[Symbol.asyncDispose]()
  })
  return both
}

/** The same side, lying in what it streams. */
function lying(side: TestSide, lies: Partial<Pick<Caller, 'bytes' | 'items'>>): TestSide {
  return { ...side, caller: { ...side.caller, ...lies } }
}

const record = (name: string, content = Buffer.from(name)) => {
  const head = { name, bytes: content.length, mode: 0o644, modifiedAt: '2026-01-01T00:00:00.000000Z' }
  return encodeRecord({ kind: 'file', ...head, sha256: digest(content) }, content)
}
const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex')

test('a path is asked of the policy in one form, however it is written', async () => {
  const asked: string[] = []
  await using side = await testSide('host', { allow: (_command, path) => void asked.push(path) })
  await mkdir(join(side.root, 'a'))
  for (const path of ['a', 'a/', './/a', '//a', `${side.root}//a//`, `/${side.root}/a`])
    await side.caller.call(lookAtFile, { path }).catch(() => undefined)
  expect(asked).toEqual([`${side.root}/a`, `${side.root}/a`, './/a', '/a', `${side.root}/a`, `${side.root}/a`])
  await expect(side.caller.call(lookAtFile, { path: './/a' })).rejects.toMatchObject({ code: 'file.outside' })
})

test('a source that leaves files out, or sends others, is not taken at its silence or its word', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree'))
  for (const name of ['a', 'b']) await writeFile(join(from.root, 'tree', name), name)
  const sends = (...records: Buffer[]) =>
    lying(from, {
      bytes: async function* () {
        yield* records
      },
    })
  const silent = await copyFiles(request(sends(record('a')), 'tree', to, ''))
  expect(silent.copied.map((one) => one.to)).toEqual([`to:${to.root}/tree/a`])
  expect(silent.problems.map(({ error }) => error.message)).toEqual([
    `from:${from.root}/tree/b is not copied: nothing of it was sent.`,
  ])
  await expect(copyFiles(request(sends(record('c')), 'tree', to, ''))).rejects.toMatchObject({
    code: 'wire.protocol',
    message: expect.stringContaining('files came that were not asked for'),
  })
})

test('a source that sends more than it said fills no disk', async () => {
  const [from, to] = await sides()
  const bytes = fileLimits.smallBytes + 1
  await writeFile(join(from.root, 'file'), randomBytes(bytes))
  let sent = 0
  const endless = lying(from, {
    bytes: async function* () {
      for (; sent < 1024 ** 3; sent += bytes) yield randomBytes(bytes)
    },
  })
  const { problems } = await copyFiles(request(endless, 'file', to, ''))
  expect(problems).toMatchObject([{ error: { code: 'file.changed' } }])
  expect(sent).toBeLessThan(4 * bytes)
})

test('a side that tells of files for ever is not listened to for ever', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree'))
  const name = 'x'.repeat(fileLimits.pathBytes)
  let n = 0
  const one = { name, kind: 'file', bytes: 1, mode: 0o644, modifiedAt: '2026-01-01T00:00:00.000000Z', version: '' } as const
  const endless = lying(from, {
    items: async function* () {
      for (;;) yield { n: ++n, ...one } satisfies WalkedFile
    } as Caller['items'],
  })
  await expect(copyFiles(request(endless, 'tree', to, ''))).rejects.toMatchObject({
    message: expect.stringContaining('too many files for one copy'),
  })
  expect(n * name.length).toBeLessThan(1.1 * 1024 ** 3)
})

test('a request of many files that breaks off leaves nothing under way, and takes no more of them than there may be', async () => {
  await using side = await testSide('host')
  const names = Array.from({ length: 16 }, (_, n) => String(n))
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.concat(names.map((name) => record(name)))
    throw new Error('it broke')
  }
  await expect(side.caller.upload(scatterFiles, { path: '' }, broken())).rejects.toThrow('it broke')
  // At once, and not a moment later: the directories that they are named through are closed by now.
  expect(readdirSync(side.root).sort()).toEqual(names.sort())
  async function* many(): AsyncGenerator<Uint8Array> {
    for (;;) yield encodeRecord({ kind: 'problem', name: 'x', code: 'file.changed', problem: '' })
  }
  await expect(side.caller.upload(scatterFiles, { path: '' }, many())).rejects.toMatchObject({
    code: 'file.record',
    message: expect.stringContaining(`more than ${fileLimits.severalRecords} records`),
  })
})

test('what is staged is no file of the tree, and goes once nobody has gone on with it for a week', async () => {
  const [from, to] = await sides()
  await writeFile(join(from.root, 'file'), randomBytes(4 * 1024 * 1024))
  const leaving = new AbortController()
  const line = breaking(to, { breaksAfter: () => 1024 * 1024, onBreak: () => leaving.abort() })
  await expect(copyFiles(request(from, 'file', line, 'copy', { signal: leaving.signal }))).rejects.toThrow()
  await writeFile(join(to.root, `.muster-${'0'.repeat(16)}.new`), 'of a process that was killed')
  await writeFile(join(to.root, '.muster-mine.part'), 'of somebody')
  expect(readdirSync(to.root)).toHaveLength(3)
  const walked: string[] = []
  for await (const { name } of to.caller.items(walkFiles, { path: '' })) walked.push(name)
  expect(walked).toEqual(['.muster-mine.part'])

  const another = { path: 'other', transfer: 'f'.repeat(32) }
  await to.caller.call(stagedFile, another)
  expect(readdirSync(to.root)).toHaveLength(3)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 8 * 24 * 3_600_000 })
  onTestFinished(() => void vi.useRealTimers())
  await to.caller.call(stagedFile, another)
  expect(readdirSync(to.root)).toEqual(['.muster-mine.part'])
})

test('a file that is put under the staged name at the last moment is not told as the copy', async () => {
  const [from, to] = await sides()
  await writeFile(join(from.root, 'file'), randomBytes(fileLimits.smallBytes + 1))
  await writeFile(join(to.root, 'evil'), 'evil')
  await using some = await open(join(to.root, 'evil'))
  vi.spyOn(Object.getPrototypeOf(some), 'sync').mockImplementationOnce(async () => {
    const [part] = readdirSync(to.root).filter((name) => name.endsWith('.part'))
    renameSync(join(to.root, 'evil'), join(to.root, part ?? 'no part is there'))
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const { copied, problems } = await copyFiles(request(from, 'file', to, 'copy'))
  expect({ copied, problems }).toMatchObject({ copied: [], problems: [{ error: { code: 'file.changed' } }] })
  expect(await readFile(join(to.root, 'copy'), 'utf8')).toBe('evil')
})
