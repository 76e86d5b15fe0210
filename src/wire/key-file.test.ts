import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadKeyFile } from './key-file.ts'

async function fileOfOwn(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-key-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return join(dir, 'key')
}

test('a key is made once, for this account alone, also where several want it at the same moment', async () => {
  const file = await fileOfOwn()
  let made = 0
  const loaded = await Promise.all([1, 2, 3].map(() => loadKeyFile(file, () => `key ${++made}`)))
  expect(new Set(loaded.map(String)).size).toBe(1)
  expect(String(await loadKeyFile(file, () => 'another'))).toBe(String(loaded[0]))
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('one that others may read is refused, and stays as it is', async () => {
  const file = await fileOfOwn()
  await writeFile(file, 'key')
  await chmod(file, 0o640)
  await expect(loadKeyFile(file, () => 'another')).rejects.toMatchObject({ code: 'home.unusable' })
  expect(await readFile(file, 'utf8')).toBe('key')
})
