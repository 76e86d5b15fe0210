import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
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

const record = (name = 'box') => ({
  id: `host_${ulid()}`,
  name,
  labels: { gpu: 'a100' },
  trust: { allow: ['runs' as const] },
  connector: { kind: 'tunnel' as const },
})

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
  expect(corrupt).toMatchObject([{ file: join(dir, `${id}.toml`), problem: expect.stringMatching(problem) }])
})

const text = `id = "${id}"\nname = "b"\n[connector]\nkind = "tunnel"\n`
test.each([
  ['ends its lines as Windows does', text.replaceAll('\n', '\r\n')],
  ['begins with a byte order mark', `\uFEFF${text}`],
])('a record that %s is read', async (_, written) => {
  await writeFile(join(dir, `${id}.toml`), written)
  expect(await (await openRegistry(dir)).read()).toMatchObject({ records: [{ id, name: 'b' }], corrupt: [] })
})

test.each([
  ['a huge file', (file: string) => writeFile(file, `${text}#${'x'.repeat(70_000)}\n`), /larger than 64 KiB/],
  ['bytes that are no text', (file: string) => writeFile(file, Buffer.from([0x69, 0xff, 0xfe])), /not UTF-8/],
  ['a directory', (file: string) => mkdir(file), /it is no file/],
  ['a pipe that nobody writes', async (file: string) => void execFileSync('mkfifo', [file]), /it is no file/],
  ['a link', (file: string) => symlink('/dev/zero', file), /it is a link/],
])('%s in the folder is reported and holds nobody up', async (_, make, problem) => {
  const registry = await openRegistry(dir)
  const good = record()
  await registry.save(good)
  await make(join(dir, `${id}.toml`))
  const { records, corrupt } = await registry.read()
  expect(records).toEqual([good])
  expect(corrupt).toMatchObject([{ file: join(dir, `${id}.toml`), about: [id], problem: expect.stringMatching(problem) }])
})

test('hundreds of records are read, whatever else lies beside them', async () => {
  const registry = await openRegistry(dir)
  await Promise.all(Array.from({ length: 200 }, (_, i) => registry.save(record(`box-${i}`))))
  await writeFile(join(dir, '.box.toml.swp'), 'what an editor leaves')
  const { records, corrupt } = await registry.read()
  expect({ records: records.length, corrupt }).toEqual({ records: 200, corrupt: [] })
})
