import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Artifact, ArtifactName } from '../../contract/artifact.ts'
import { failure } from '../../contract/errors.ts'
import { saveArtifacts } from './save-artifacts.ts'

const artifact = (name: string, mode = 0o644): Artifact => ({
  name,
  bytes: name.length,
  sha256: 'a'.repeat(64),
  mtime: '2024-02-03T04:05:06.000Z',
  mode,
})

async function place() {
  const base = await mkdtemp(join(tmpdir(), 'muster-save-'))
  const into = join(base, 'into')
  const fetched: string[] = []
  return {
    base,
    into,
    fetched,
    save: (artifacts: Artifact[], { force = false, broken = false } = {}) =>
      saveArtifacts(artifacts, {
        into,
        force,
        async fetch({ name }, take) {
          fetched.push(name)
          await take(Buffer.from(name))
          if (broken) throw failure('artifact.damaged', { run: 'r', name })
        },
        onBytes: () => undefined,
      }),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  }
}

test('files are saved by their names, with time and permissions, and directories made for them', async () => {
  await using at = await place()
  const files = await at.save([artifact('a'), artifact('out/deep/run.sh', 0o755), artifact('secret', 0o400)])
  expect(files).toEqual(['a', 'out/deep/run.sh', 'secret'].map((name) => join(at.into, name)))
  expect(await readFile(join(at.into, 'out/deep/run.sh'), 'utf8')).toBe('out/deep/run.sh')
  const { mtime, mode } = await stat(join(at.into, 'out/deep/run.sh'))
  expect({ mtime: mtime.toISOString(), executable: mode & 0o100 }).toEqual({
    mtime: '2024-02-03T04:05:06.000Z',
    executable: 0o100,
  })
  expect((await stat(join(at.into, 'secret'))).mode & 0o077).toBe(0)
})

test('what is there is left, and nothing is fetched, unless replacing was asked for', async () => {
  await using at = await place()
  await at.save([artifact('b'), artifact('c')])
  await writeFile(join(at.into, 'b'), 'mine')
  at.fetched.length = 0
  await expect(at.save([artifact('a'), artifact('b'), artifact('c')])).rejects.toMatchObject({
    code: 'file.exists',
    message: `${join(at.into, 'b')} exists already, and so does another.`,
  })
  expect(at.fetched).toEqual([])
  expect(await readFile(join(at.into, 'b'), 'utf8')).toBe('mine')
  await at.save([artifact('b')], { force: true })
  expect(await readFile(join(at.into, 'b'), 'utf8')).toBe('b')
})

test('nothing is written through a link, neither to a directory nor to a file', async () => {
  await using at = await place()
  const outside = join(at.base, 'outside')
  await mkdir(outside)
  await mkdir(at.into)
  await writeFile(join(outside, 'file'), 'untouched')
  await symlink(outside, join(at.into, 'd'))
  await symlink(join(outside, 'file'), join(at.into, 'f'))
  for (const force of [false, true])
    await expect(at.save([artifact('d/x')], { force })).rejects.toMatchObject({ code: 'file.unwritable' })
  await expect(at.save([artifact('f')])).rejects.toMatchObject({ code: 'file.exists' })
  await at.save([artifact('f')], { force: true })
  expect(await readFile(join(at.into, 'f'), 'utf8')).toBe('f')
  expect(await readFile(join(outside, 'file'), 'utf8')).toBe('untouched')
  expect(await readdir(outside)).toEqual(['file'])
})

test('one that does not arrive whole leaves nothing behind', async () => {
  await using at = await place()
  await expect(at.save([artifact('out/a')], { broken: true })).rejects.toMatchObject({ code: 'artifact.damaged' })
  expect(await readdir(join(at.into, 'out'))).toEqual([])
})

test("names that stand in each other's way are an error, not a loss", async () => {
  await using at = await place()
  await expect(at.save([artifact('a'), artifact('a/b')])).rejects.toMatchObject({ code: 'file.unwritable' })
  expect(await readFile(join(at.into, 'a'), 'utf8')).toBe('a')
})

test('whatever a host calls its files, all that is written is below the directory', { timeout: 60_000 }, async () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '...', 'a', '~', '-rf', ' ', '\\', '\\..\\', '%2e%2e', 'C:', '*', '\u202e', 'é'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  )
  const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
  await fc.assert(
    fc.asyncProperty(name, async (made) => {
      fc.pre(ArtifactName.safeParse(made).success && !made.includes('\ud800'))
      await using at = await place()
      await at.save([artifact(made)]).catch((error) => expect(error).toMatchObject({ code: 'file.unwritable' }))
      expect(await readdir(at.base)).toEqual(['into'])
    }),
    { numRuns: 200 },
  )
})
