import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { knownFarSide } from './known-far-side.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-known-'))
})
afterEach(() => rm(dir, { recursive: true }))

test('nobody is known before the first time, and then the same one, also after a restart', async () => {
  const file = join(dir, 'own', 'hub')
  expect(await knownFarSide(file).read()).toBeUndefined()
  await knownFarSide(file).keep('first')
  expect(await knownFarSide(file).read()).toBe('first')
})

test('what cannot be read is not taken for the first time', async () => {
  await expect(knownFarSide(dir).read()).rejects.toMatchObject({ code: 'EISDIR' })
})
