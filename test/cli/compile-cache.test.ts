// What `muster` keeps compiled for its next command is code: it is read from where nobody else can write, or not at all.

import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeHome, muster } from '../resources/muster.ts'

test('it is kept below the home of the account, for that account alone', async () => {
  await using home = await makeHome()
  expect((await muster(home.path, ['--version'], { env: { HOME: home.path, XDG_CACHE_HOME: '' } })).code).toBe(0)
  const kept = join(home.path, '.cache/muster')
  expect((await stat(kept)).mode & 0o777).toBe(0o700)
  expect(await readdir(kept)).toHaveLength(1)
})

test('where others may write nothing is kept, and nothing read', async () => {
  await using home = await makeHome()
  const shared = join(home.path, 'shared')
  await mkdir(shared)
  await chmod(shared, 0o777)
  const { code, stdout } = await muster(home.path, ['--version'], { env: { XDG_CACHE_HOME: shared } })
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d/)])
  expect(await readdir(shared)).toEqual([])
})
