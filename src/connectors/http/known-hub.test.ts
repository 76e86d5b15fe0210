import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { knownHub } from './known-hub.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-known-'))
})
afterEach(() => rm(dir, { recursive: true }))

test('the first hub at an address is the one that is expected there, also after a restart', async () => {
  const own = join(dir, 'own')
  const known = knownHub(own, 'prod')
  await known.expect('first')
  await known.expect('first')
  await expect(known.expect('second')).rejects.toMatchObject({ code: 'host.other_hub' })
  await expect(knownHub(own, 'prod').expect('second')).rejects.toMatchObject({
    code: 'host.other_hub',
    message: 'Another hub answers for prod: it is second, and first was there before.',
  })
  await knownHub(own, 'prod').expect('first')
})
