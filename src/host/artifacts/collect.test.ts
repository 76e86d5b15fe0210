import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ArtifactKept, ArtifactRefused, artifactLimits } from '../../contract/artifact.ts'
import { type Collecting, collectArtifacts } from './collect.ts'
import { matchGlobs } from './match.ts'

const never = new AbortController().signal

async function workplace() {
  const base = await mkdtemp(join(tmpdir(), 'muster-artifacts-'))
  const cwd = join(base, 'work')
  const dir = join(base, 'run', 'artifacts')
  await mkdir(cwd)
  const collect = (globs: string[], more: Partial<Collecting> = {}) =>
    collectArtifacts({ globs, cwd, dir, stopped: never, closing: never, ...more })
  return {
    base,
    cwd,
    dir,
    collect,
    async file(name: string, text: string | Buffer = name) {
      await mkdir(dirname(join(cwd, name)), { recursive: true })
      await writeFile(join(cwd, name), text)
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 }),
  }
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')
const names = (list: readonly { name: string }[]) => list.map(({ name }) => name)

test('files that globs name are kept in the order of their names, with what is true of their copies', async () => {
  await using at = await workplace()
  for (const name of ['out/b.tar', 'out/a.tar', 'out/deep/c.tar', 'out/a.log', 'report.txt', 'out/.hidden.tar'])
    await at.file(name)
  await chmod(join(at.cwd, 'out/a.tar'), 0o4751)
  await utimes(join(at.cwd, 'out/a.tar'), 1_700_000_000, 1_700_000_000)
  const { kept, refused } = await at.collect(['./out//*.tar', 'out/**/c.*', 'report.txt', 'out/{a,b}.tar', 'none/*', '.'])
  expect(names(kept)).toEqual(['out/a.tar', 'out/b.tar', 'out/deep/c.tar', 'report.txt'])
  expect(kept[0]).toEqual({
    name: 'out/a.tar',
    bytes: 9,
    sha256: sha256('out/a.tar'),
    mtime: '2023-11-14T22:13:20.000Z',
    mode: 0o751,
  })
  for (const { sha256, name } of kept) expect(await readFile(join(at.dir, sha256), 'utf8')).toBe(name)
  expect(refused).toEqual([
    { name: 'none/*', reason: 'no file matches it' },
    { name: '.', reason: 'it is the working directory; "**" names the files in it' },
  ])
})

test('collecting again begins anew and keeps the same', async () => {
  await using at = await workplace()
  await at.file('a')
  await at.file('same', 'a')
  const first = await at.collect(['*'])
  await writeFile(join(at.dir, 'copying'), 'left by a process that was killed')
  await writeFile(join(at.dir, sha256('gone since')), 'gone since')
  expect(await at.collect(['*'])).toEqual(first)
  expect(await readdir(at.dir)).toEqual([sha256('a')])
})

test('links, directories, pipes, sockets and devices are not opened, and each says why', async () => {
  await using at = await workplace()
  await at.file('real/inside')
  await symlink('/etc/passwd', join(at.cwd, 'passwd'))
  await symlink('real/inside', join(at.cwd, 'within'))
  await symlink('/etc', join(at.cwd, 'etc'))
  await symlink('real', join(at.cwd, 'alias'))
  spawnSync('mkfifo', [join(at.cwd, 'pipe')])
  const server = createServer().listen(join(at.cwd, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  const { kept, refused } = await at.collect(['*', 'etc/host*', 'etc/passwd', 'alias/inside', 'real', 'gone', 'real/inside'])
  server.close()
  expect(names(kept)).toEqual(['real/inside'])
  const link = 'it is a link, and links are not followed'
  const through = 'its path leads through a link, and links are not followed'
  expect(Object.fromEntries(refused.map(({ name, reason }) => [name, reason]))).toEqual({
    passwd: link,
    within: link,
    etc: link,
    alias: link,
    'etc/passwd': through,
    'alias/inside': through,
    pipe: 'it is a FIFO, and only regular files are kept',
    socket: 'it is a socket, and only regular files are kept',
    real: 'it is a directory; "real/**" names the files in it',
    gone: 'there is no such file',
  })
  const devices = await at.collect(['null', 'gone'], { cwd: '/dev' })
  expect(devices.refused[1]).toEqual({ name: 'null', reason: 'it is a device, and only regular files are kept' })
})

test('a file that opens and cannot be read is refused, and the others are kept', async () => {
  await using at = await workplace()
  await at.file('a')
  // Its own memory, from its first byte on, can be read by nobody, not even by root.
  const { kept, refused } = await at.collect(['mem', 'comm'], { cwd: '/proc/self' })
  expect(names(kept)).toEqual(['comm'])
  expect(refused).toEqual([{ name: 'mem', reason: expect.stringMatching(/^it could not be copied: /) }])
})

test('without a working directory nothing is kept, and nothing fails', async () => {
  await using at = await workplace()
  const { kept, refused } = await at.collect(['a', 'b*'], { cwd: join(at.cwd, 'gone') })
  expect(kept).toEqual([])
  const reason = 'the working directory cannot be read: there is no such file or directory'
  expect(refused).toEqual([
    { name: 'a', reason },
    { name: 'b*', reason },
  ])
})

test('where nothing can be kept, that is the reason, and nothing fails', async () => {
  await using at = await workplace()
  await at.file('a')
  await writeFile(join(at.base, 'run'), 'in its place')
  const { kept, refused } = await at.collect(['a'])
  expect(kept).toEqual([])
  expect(refused).toEqual([{ name: 'a', reason: expect.stringMatching(/^nothing can be kept on the host: /) }])
})

test('limits are of the first by name, and tell how many were left out', async () => {
  await using at = await workplace()
  for (let n = 10; n < 40; n++) await at.file(`f${n}`)
  const limits = { ...artifactLimits, files: 5 }
  const { kept, refused } = await at.collect(['f*'], { limits })
  expect(names(kept)).toEqual(['f10', 'f11', 'f12', 'f13', 'f14'])
  expect(refused).toEqual([{ name: 'f15', reason: 'a run keeps no more than 5 files; the same holds for 24 more' }])
  const small = await at.collect(['f*'], { limits: { ...artifactLimits, totalBytes: 7, refusals: 3 } })
  expect(names(small.kept)).toEqual(['f10', 'f11'])
  expect(small.refused.map(({ reason }) => reason)).toEqual([
    'the files of one run would take more room than they may',
    'the files of one run would take more room than they may',
    'the files of one run would take more room than they may; 25 more were not kept either',
  ])
  const shortNames = await at.collect(['f*'], { limits: { ...artifactLimits, nameBytesInAll: 9 } })
  expect(names(shortNames.kept)).toEqual(['f10', 'f11', 'f12'])
})

test('ten thousand files cost ten thousand looks, and a thousand copies', { timeout: 120_000 }, async () => {
  await using at = await workplace()
  await mkdir(join(at.cwd, 'many'))
  for (let n = 0; n < 10_000; n++) await writeFile(join(at.cwd, 'many', String(n).padStart(5, '0')), '')
  const { kept, refused } = await at.collect(['**'])
  expect(kept).toHaveLength(1000)
  expect(kept.at(-1)?.name).toBe('many/00999')
  expect(refused).toEqual([{ name: 'many/01000', reason: 'a run keeps no more than 1000 files; the same holds for 8999 more' }])
})

test('a tree is looked through up to a limit, for all globs together', async () => {
  await using at = await workplace()
  for (let n = 10; n < 20; n++) await at.file(`d/f${n}`)
  const signal = never
  const found = await matchGlobs({ root: await realpath(at.cwd), globs: ['d/*', 'd/f1?', 'd/f10'], signal, mostEntries: 15 })
  expect(found.names).toHaveLength(10)
  expect(found.refused).toEqual([{ name: 'd/f1?', reason: 'there are more than 15 files to look through' }])
})

test('a file that is too large, also one that only says so, is refused without being read', async () => {
  await using at = await workplace()
  await at.file('sparse', '')
  await truncate(join(at.cwd, 'sparse'), 1024 ** 4)
  await at.file('small')
  const { kept, refused } = await at.collect(['s*'])
  expect(names(kept)).toEqual(['small'])
  expect(refused).toHaveLength(1)
  expect(refused[0]?.reason).toMatch(/^(it has more than 16 GiB|there would be too little room left on the host's disk)$/)
})

test('a run that is asked to stop meanwhile gives up the rest, and a late one too', async () => {
  await using at = await workplace()
  for (const name of ['a', 'b', 'c']) await at.file(name)
  const stopped = await at.collect(['*'], { stopped: AbortSignal.abort() })
  expect(stopped.kept).toEqual([])
  expect(stopped.refused).toEqual([{ name: '*', reason: 'the run was asked to stop meanwhile' }])
  await at.file('d/large', Buffer.alloc(64 * 1024 * 1024))
  const late = await at.collect(['d/*'], { withinMs: 6 })
  expect(late.kept).toEqual([])
  expect(late.refused[0]?.reason).toBe('collecting took longer than 0.0001 minutes')
})

test('a host that closes meanwhile tells nothing: the next one collects', async () => {
  await using at = await workplace()
  await at.file('a')
  await expect(at.collect(['*'], { closing: AbortSignal.abort(new Error('closing')) })).rejects.toThrow('closing')
  expect(names((await at.collect(['*'])).kept)).toEqual(['a'])
})

test('whatever a file is called, what is told of it is true and fits an event, and nothing leaves its place', {
  timeout: 60_000,
}, async () => {
  const part = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 40 })
    .map((text) => text.replaceAll(/[/\0]/g, '').slice(0, 80))
    .filter((text) => text !== '' && text !== '.' && text !== '..' && Buffer.byteLength(text) < 250)
  const odd = fc.constantFrom(
    '..a',
    '...',
    ' ',
    '-rf',
    '*',
    '[x]',
    '{a,b}',
    '\n',
    '\u001b[31m',
    '\\',
    'con',
    '~',
    '$HOME',
    '\u202e',
  )
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.oneof(part, odd), { minLength: 1, maxLength: 6 }), async (parts) => {
      await using at = await workplace()
      for (const name of parts) await at.file(join('d', name), name)
      const { kept, refused } = await at.collect(['**', '**/.*'])
      for (const file of kept) {
        expect(ArtifactKept.parse({ type: 'artifact.kept', ...file })).toMatchObject(file)
        expect(await readFile(join(at.dir, file.sha256), 'utf8')).toBe(basename(file.name))
        expect(file.sha256).toBe(sha256(basename(file.name)))
      }
      for (const one of refused) ArtifactRefused.parse({ type: 'artifact.refused', ...one })
      expect((await readdir(at.dir)).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true)
      expect((await readdir(at.base)).sort()).toEqual(['run', 'work'])
    }),
    { numRuns: 40 },
  )
})

test('whatever a glob is, nothing outside of the working directory is kept', { timeout: 60_000 }, async () => {
  const piece = fc.constantFrom(
    '..',
    '.',
    '/',
    '*',
    '**',
    '[.]',
    '[.][.]',
    '{',
    '}',
    ',',
    'secret',
    'work',
    'in',
    '?',
    '@(',
    ')',
    '!(',
    '..*',
    '.*',
  )
  const glob = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''))
  await using at = await workplace()
  await writeFile(join(at.base, 'secret'), 'secret')
  await at.file('in', 'mine')
  await at.file('.in', 'mine')
  await fc.assert(
    fc.asyncProperty(fc.array(glob, { minLength: 1, maxLength: 3 }), async (globs) => {
      const { kept } = await at.collect([...globs, 'in'])
      expect(kept.map(({ sha256 }) => sha256)).toEqual(kept.map(() => sha256('mine')))
      expect(names(kept)).toContain('in')
    }),
    { numRuns: 300 },
  )
})

test('a directory that is swapped for a link while files are taken leads nowhere else', { timeout: 60_000 }, async () => {
  await using at = await workplace()
  await mkdir(join(at.base, 'outside'))
  await mkdir(join(at.cwd, 'd'))
  const files = Array.from({ length: 20 }, (_, n) => `f${n}`)
  for (const name of files) {
    await writeFile(join(at.base, 'outside', name), 'secret')
    await at.file(`d/${name}`, 'mine')
  }
  await symlink(join(at.base, 'outside'), join(at.cwd, 'link'))
  let swapping = true
  const swap = (async () => {
    while (swapping) {
      await rename(join(at.cwd, 'd'), join(at.cwd, 'aside'))
      await rename(join(at.cwd, 'link'), join(at.cwd, 'd'))
      await rename(join(at.cwd, 'd'), join(at.cwd, 'link'))
      await rename(join(at.cwd, 'aside'), join(at.cwd, 'd'))
      // As long again, or longer, as it is.
      for (let turns = Math.floor(Math.random() * 60); turns > 0; turns--) await nextTurn()
    }
  })()
  try {
    const found = { kept: 0, refused: 0 }
    for (let round = 0; round < 1000 && (round < 100 || found.kept * found.refused === 0); round++) {
      const { kept, refused } = await at.collect(files.map((name) => `d/${name}`))
      for (const file of kept) expect(file.sha256).toBe(sha256('mine'))
      found.kept += kept.length
      found.refused += refused.filter(({ reason }) => reason.includes('through a link')).length
    }
    expect(found.kept).toBeGreaterThan(0)
    expect(found.refused).toBeGreaterThan(0)
  } finally {
    swapping = false
    await swap
  }
})
