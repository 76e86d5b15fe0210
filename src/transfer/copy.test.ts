import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { seed, seededRandom } from '../../test/resources/seeded.ts'
import { fileLimits } from '../contract/file.ts'
import { type CopyProgress, copyFiles } from './copy.ts'
import { breaking, request, type TestSide, testSide } from './test-sides.ts'

async function sides(): Promise<[TestSide, TestSide]> {
  const both: [TestSide, TestSide] = [await testSide('from'), await testSide('to')]
  onTestFinished(async () => {
    for (const side of both) await side[Symbol.asyncDispose]()
  })
  return both
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
/** More than the pieces in which it moves. */
const chunk = 4 * 1024 * 1024
const large = fileLimits.smallBytes + 12_345
const strange = [
  'a\nb',
  '-rf',
  ' ',
  'ünïcödé',
  '\u0301',
  '漢字',
  '"\'$(x)`',
  '*?[a]{b}',
  'x'.repeat(255),
  '..a',
  '.hidden',
  'a\\b',
  '%2e%2e',
]

test('a tree comes as it is: every name, every byte, modes, times, empty directories; and nothing else is there', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree/empty'), { recursive: true })
  const content = new Map<string, Buffer>()
  for (const [n, name] of strange.entries()) content.set(`tree/${name}`, randomBytes(n % 4 === 0 ? 0 : 100 * n))
  await mkdir(join(from.root, 'tree/déep/er'), { recursive: true })
  content.set('tree/déep/er/large', randomBytes(large))
  for (const [name, bytes] of content) await writeFile(join(from.root, name), bytes)
  await chmod(join(from.root, 'tree/-rf'), 0o640)
  await utimes(join(from.root, 'tree/-rf'), 1_700_000_000.123456, 1_700_000_000.123456)
  await utimes(join(from.root, 'tree/déep'), 1, 1_600_000_000.5)
  await chmod(join(from.root, 'tree/déep'), 0o750)

  const outcome = await copyFiles(request(from, 'tree', to, 'copy'))
  expect(outcome).toMatchObject({ problems: [], left: 0, directories: 4, bytes: sum(content) })
  expect(outcome.copied).toHaveLength(content.size)
  const found = (await readdir(join(to.root, 'copy'), { recursive: true })).sort()
  expect(found).toEqual((await readdir(join(from.root, 'tree'), { recursive: true })).sort())
  for (const [name, bytes] of content) {
    const [source, copy] = [join(from.root, name), join(to.root, name.replace('tree', 'copy'))]
    expect((await readFile(copy)).equals(bytes), name).toBe(true)
    const [a, b] = [await stat(source), await stat(copy)]
    expect([b.mode, Math.floor(b.mtimeMs * 1000)], name).toEqual([a.mode, Math.floor(a.mtimeMs * 1000)])
    expect(outcome.copied.find((one) => one.from.endsWith(`/${name}`))?.sha256).toBe(digest(bytes))
  }
  const deep = await stat(join(to.root, 'copy/déep'))
  expect([Math.floor(deep.mtimeMs), deep.mode & 0o777]).toEqual([1_600_000_000_500, 0o750])

  await copyFiles(request(from, 'tree', to, ''))
  const again = await copyFiles(request(from, 'tree', to, ''))
  expect(again).toMatchObject({ copied: [], sentBytes: 0, left: content.size, directories: 0 })
  expect((await copyFiles(request(from, 'tree', to, '', { again: true }))).copied).toHaveLength(content.size)
})

test('a tree that was broken off is gone on with by the same words; once it is whole, they copy into it', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree/sub'), { recursive: true })
  for (let n = 0; n < 600; n++) await writeFile(join(from.root, `tree/sub/${n}`), String(n))
  await writeFile(join(from.root, 'tree/large'), randomBytes(large))
  const leaving = new AbortController()
  const onProgress = ({ files }: CopyProgress) => files > 0 && leaving.abort()
  await expect(copyFiles(request(from, 'tree', to, 'copy', { signal: leaving.signal, onProgress }))).rejects.toThrow()
  const { left, copied, problems } = await copyFiles(request(from, 'tree', to, 'copy'))
  expect({ problems, inAll: left + copied.length }).toEqual({ problems: [], inAll: 601 })
  expect(left).toBeGreaterThan(0)
  expect(readdirSync(join(to.root, 'copy')).sort()).toEqual(['large', 'sub'])
  await copyFiles(request(from, 'tree', to, 'copy'))
  expect(readdirSync(join(to.root, 'copy')).sort()).toEqual(['large', 'sub', 'tree'])
})

function sum(content: ReadonlyMap<string, Buffer>): number {
  return [...content.values()].reduce((all, { length }) => all + length, 0)
}

test('where it goes: into a directory that is there, else to the name that is given; several only into a directory', async () => {
  const [from, to] = await sides()
  await mkdir(join(to.root, 'dir'))
  for (const name of ['a', 'b']) await writeFile(join(from.root, name), name)
  await copyFiles(request(from, 'a', to, 'dir'))
  await copyFiles(request(from, 'a', to, 'other'))
  await copyFiles(request(from, `${from.root}/b`, to, ''))
  expect((await readdir(to.root, { recursive: true })).sort()).toEqual(['b', 'dir', 'dir/a', 'other'])
  const both = ['a', 'b'].map((path) => ({ side: from, path }))
  await copyFiles(request(from, '', to, 'dir', { sources: both }))
  expect(readdirSync(join(to.root, 'dir'))).toEqual(['a', 'b'])
  await expect(copyFiles(request(from, '', to, 'none', { sources: both }))).rejects.toMatchObject({ code: 'file.unwritable' })
  await expect(copyFiles(request(from, 'a', to, 'none', { intoDirectory: true }))).rejects.toMatchObject({
    message: expect.stringContaining('there is no such directory'),
  })
  await expect(copyFiles(request(from, 'missing', to, ''))).rejects.toMatchObject({
    message: 'from:missing cannot be read: there is no such file or directory.',
  })
  const twice = [
    { side: from, path: 'a' },
    { side: from, path: 'b', name: 'a' },
  ]
  await expect(copyFiles(request(from, '', to, 'dir', { sources: twice }))).rejects.toMatchObject({ code: 'cli.usage' })
})

test('a glob is matched on its own side; a file of that very name is meant itself', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'logs/old'), { recursive: true })
  for (const name of ['a.log', 'b.log', 'c.txt', 'old/d.log', '[x].log']) await writeFile(join(from.root, 'logs', name), name)
  await copyFiles(request(from, 'logs/[x].log', to, ''))
  expect(readdirSync(to.root)).toEqual(['[x].log'])
  await copyFiles(request(from, `${from.root}/logs/?.log`, to, ''))
  expect(readdirSync(to.root)).toEqual(['[x].log', 'a.log', 'b.log'])
  await copyFiles(request(from, 'l*', to, ''))
  expect(readdirSync(join(to.root, 'logs')).sort()).toEqual(['[x].log', 'a.log', 'b.log', 'c.txt', 'old'])
  await expect(copyFiles(request(from, 'logs/*.zip', to, ''))).rejects.toMatchObject({
    message: expect.stringContaining('nothing matches it'),
  })
})

test('files that are there: replaced, or left, as was asked; a directory or a link in the way is never replaced', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree'))
  for (const name of ['file', 'way', 'linked']) await writeFile(join(from.root, 'tree', name), `new ${name}`)
  await mkdir(join(to.root, 'tree/way'), { recursive: true })
  await writeFile(join(to.root, 'tree/file'), 'old')
  await writeFile(join(to.root, 'outside'), 'outside')
  await symlink('../outside', join(to.root, 'tree/linked'))

  const kept = await copyFiles(request(from, 'tree', to, '', { replace: false }))
  expect(kept).toMatchObject({ copied: [], left: 1 })
  const { copied, problems } = await copyFiles(request(from, 'tree', to, ''))
  expect(copied.map((one) => one.to)).toEqual([`to:${to.root}/tree/file`])
  expect(problems.map(({ error }) => error.message).sort()).toEqual([
    `to:${to.root}/tree/linked is not copied: a link is there, and a file is to be copied.`,
    `to:${to.root}/tree/way is not copied: a directory is there, and a file is to be copied.`,
  ])
  expect(await readFile(join(to.root, 'tree/file'), 'utf8')).toBe('new file')
  expect(await readFile(join(to.root, 'outside'), 'utf8')).toBe('outside')
  expect((await lstat(join(to.root, 'tree/linked'))).isSymbolicLink()).toBe(true)
})

test('links are told and not followed, and a loop of them has an end', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree/in'), { recursive: true })
  await writeFile(join(from.root, 'tree/in/file'), 'x')
  await symlink('..', join(from.root, 'tree/in/loop'))
  await symlink('/etc/passwd', join(from.root, 'tree/secret'))
  await symlink('/etc', join(from.root, 'tree/etc'))
  const { copied, problems } = await copyFiles(request(from, 'tree', to, ''))
  expect(copied).toHaveLength(1)
  expect(problems.map(({ place }) => place.replace(from.root, ''))).toEqual([
    'from:/tree/etc',
    'from:/tree/in/loop',
    'from:/tree/secret',
  ])
  await expect(copyFiles(request(from, 'tree/secret', to, ''))).resolves.toMatchObject({ copied: [], problems: [{}] })
  await expect(copyFiles(request(from, 'tree/in/loop/in/file', to, ''))).rejects.toMatchObject({ code: 'file.unreadable' })
})

test('a dry run tells what would be done and changes nothing', async () => {
  const [from, to] = await sides()
  await mkdir(join(from.root, 'tree'))
  await writeFile(join(from.root, 'tree/a'), 'a')
  const { copied, directories } = await copyFiles(request(from, 'tree', to, '', { dryRun: true }))
  expect(copied).toEqual([{ from: `from:${from.root}/tree/a`, to: `to:${to.root}/tree/a`, bytes: 1, sha256: null }])
  expect(directories).toBe(1)
  expect(readdirSync(to.root)).toEqual([])
})

test('cut at random offsets it always completes, with the right digest, and sends nothing again that had come', async () => {
  const [from, to] = await sides()
  const random = seededRandom()
  const bytes = randomBytes(3 * chunk)
  await writeFile(join(from.root, 'file'), bytes)
  let cuts = 0
  const line = breaking(to, { breaksAfter: () => (cuts++ < 40 ? Math.floor(random() * chunk) : undefined) })
  const outcome = await copyFiles(request(from, 'file', line, 'copy'))
  expect((await readFile(join(to.root, 'copy'))).equals(bytes), `seed ${seed}`).toBe(true)
  expect(outcome.copied).toMatchObject([{ sha256: digest(bytes) }])
  // A piece of the source's at most is read for nothing.
  expect(outcome.sentBytes - bytes.length).toBeLessThan(cuts * 1024 * 1024)
}, 120_000)

test('another process at either side goes on where the one before broke off, and finds what was damaged meanwhile', async () => {
  const [from, to] = await sides()
  const bytes = randomBytes(2 * chunk)
  await writeFile(join(from.root, 'file'), bytes)
  const begin = async () => {
    const leaving = new AbortController()
    const line = breaking(to, { breaksAfter: () => chunk, onBreak: () => leaving.abort() })
    await expect(copyFiles(request(from, 'file', line, 'copy', { signal: leaving.signal, again: true }))).rejects.toThrow()
    const [part] = readdirSync(to.root).filter((name) => name.endsWith('.part'))
    return join(to.root, part ?? 'no part is there')
  }
  const begun = await begin()
  await vi.waitUntil(async () => (await stat(begun)).size === chunk, 30_000)
  const resumed = await copyFiles(request(from.again(), 'file', to.again(), 'copy'))
  expect(resumed).toMatchObject({ resumedBytes: chunk, sentBytes: chunk })
  expect(resumed.copied).toMatchObject([{ sha256: digest(bytes) }])

  const part = await begin()
  await vi.waitUntil(async () => (await stat(part)).size === chunk, 30_000)
  await using opened = await open(part, 'r+')
  await opened.write(Buffer.from([(bytes[5] as number) ^ 1]), 0, 1, 5)
  const repaired = await copyFiles(request(from.again(), 'file', to.again(), 'copy', { again: true }))
  expect(repaired.sentBytes).toBe(chunk + bytes.length)
  expect((await readFile(join(to.root, 'copy'))).equals(bytes)).toBe(true)
  expect(readdirSync(to.root)).toEqual(['copy'])
})

test('a source that changes meanwhile is no copy, and what it had left behind goes with the next', async () => {
  const [from, to] = await sides()
  await writeFile(join(from.root, 'file'), randomBytes(2 * chunk))
  const changing = breaking(to, {
    breaksAfter: () => chunk,
    onBreak: () => void appendFile(join(from.root, 'file'), 'more'),
  })
  const { problems } = await copyFiles(request(from, 'file', changing, 'copy'))
  expect(problems).toMatchObject([
    { error: { code: 'file.changed', message: expect.stringMatching(/^from: .*file was changed meanwhile\.$/) } },
  ])
  expect(readdirSync(to.root)).toEqual([expect.stringMatching(/\.part$/)])
  const next = await copyFiles(request(from, 'file', to, 'copy'))
  expect(next).toMatchObject({ resumedBytes: 0, problems: [] })
  expect(readdirSync(to.root)).toEqual(['copy'])
})

test('a target that somebody else has written meanwhile is not replaced', async () => {
  const [from, to] = await sides()
  for (const before of [undefined, 'older']) {
    await writeFile(join(from.root, 'file'), randomBytes(large))
    if (before !== undefined) await writeFile(join(to.root, 'copy'), before)
    let broken = false
    const line = breaking(to, {
      breaksAfter: () => (broken ? undefined : 1000),
      onBreak: () => {
        broken = true
        // Before the next attempt: it goes through the same turn of the loop.
        void writeFile(join(to.root, 'copy'), "somebody else's")
      },
    })
    const { problems } = await copyFiles(request(from, 'file', line, 'copy'))
    expect(problems).toMatchObject([{ error: { code: 'file.changed' } }])
    expect(await readFile(join(to.root, 'copy'), 'utf8')).toBe("somebody else's")
  }
})

test('zeros become holes, at the end too, and count in the digest', async () => {
  const [from, to] = await sides()
  const size = 64 * 1024 * 1024
  await using source = await open(join(from.root, 'sparse'), 'w')
  await source.write(Buffer.from('begin'), 0, 5, 0)
  await source.write(Buffer.from('middle'), 0, 6, size / 2)
  await source.truncate(size)
  const { copied } = await copyFiles(request(from, 'sparse', to, ''))
  const found = await stat(join(to.root, 'sparse'))
  expect(found.size).toBe(size)
  expect(found.blocks * 512).toBeLessThan(4 * 1024 * 1024)
  const whole = await readFile(join(to.root, 'sparse'))
  expect(whole.subarray(size / 2, size / 2 + 6).toString()).toBe('middle')
  expect(copied).toMatchObject([{ sha256: digest(whole) }])
})

test("of two copies of the same, the later goes on; what is beside a target and is not the copy's own is not gone on with", async () => {
  const [from, to] = await sides()
  await writeFile(join(from.root, 'file'), randomBytes(3 * chunk))
  const stuck = Promise.withResolvers<void>()
  let second: Promise<unknown> | undefined
  const slow = breaking(to, {
    breaksAfter: () => 1,
    onBreak: () => undefined,
  })
  const waiting = {
    ...slow,
    caller: {
      ...to.caller,
      upload: ((operation, input, body, options) =>
        to.caller.upload(
          operation,
          input,
          (async function* () {
            for await (const piece of body) {
              yield piece
              second ??= copyFiles(request(from, 'file', to, 'copy')).finally(stuck.resolve)
              await stuck.promise
            }
          })(),
          options,
        )) as typeof to.caller.upload,
    },
  }
  const first = await copyFiles(request(from, 'file', waiting, 'copy'))
  expect(first.problems).toMatchObject([{ error: { code: 'file.taken_over' } }])
  expect(await second).toMatchObject({ copied: [{}], problems: [] })

  const leaving = new AbortController()
  const line = breaking(to, { breaksAfter: () => 1000, onBreak: () => leaving.abort() })
  await expect(copyFiles(request(from, 'file', line, 'new', { signal: leaving.signal }))).rejects.toThrow()
  const [part] = readdirSync(to.root).filter((name) => name.endsWith('.part'))
  await link(join(to.root, part ?? ''), join(to.root, 'another name'))
  const { problems } = await copyFiles(request(from, 'file', to, 'new'))
  expect(problems).toMatchObject([{ error: { message: expect.stringContaining('is not what a copy has left') } }])
})
