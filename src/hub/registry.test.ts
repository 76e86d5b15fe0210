import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ulid } from 'ulidx'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRegistry } from './registry.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-registry-'))
})
afterEach(() => rm(dir, { recursive: true }))

const record = (name = 'box') => ({ id: `host_${ulid()}`, name, labels: { gpu: 'a100' }, connector: { kind: 'tunnel' as const } })

test('what is saved is read again, and nobody else may read the file', async () => {
  const registry = await openRegistry(dir)
  const one = record()
  await registry.save(one)
  expect(await registry.read()).toEqual({ records: [one], corrupt: [] })
  expect((await stat(join(dir, `${one.id}.toml`))).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual([`${one.id}.toml`])
})

test('a removed record is gone, and removing it again is no error', async () => {
  const registry = await openRegistry(dir)
  const one = record()
  await registry.save(one)
  await registry.remove(one.id)
  await registry.remove(one.id)
  expect(await registry.read()).toEqual({ records: [], corrupt: [] })
})

const id = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
test.each([
  ['not TOML', `id = "${id}`, /line 1, column/],
  ['an unknown field', `id = "${id}"\nname = "b"\nsecret = "x"\n[connector]\nkind = "tunnel"`, /secret/],
  ['an unknown connector', `id = "${id}"\nname = "b"\n[connector]\nkind = "pigeon"`, /connector/],
  ['a second local host', `id = "${id}"\nname = "b"\n[connector]\nkind = "local"`, /connector/],
  ['an id that is a path', 'id = "../../etc"\nname = "b"\n[connector]\nkind = "tunnel"', /id/],
  ['the id of another file', 'id = "host_01ARZ3NDEKTSV4RRFFQ69G5FAW"\nname = "b"\n[connector]\nkind = "tunnel"', /its id is/],
  ['nothing', '', /id/],
])('a record with %s is reported by its file, and the others are served', async (_, text, problem) => {
  const registry = await openRegistry(dir)
  const good = record()
  await registry.save(good)
  await writeFile(join(dir, `${id}.toml`), text)
  const { records, corrupt } = await registry.read()
  expect(records).toEqual([good])
  expect(corrupt).toEqual([{ file: join(dir, `${id}.toml`), problem: expect.stringMatching(problem) }])
})
