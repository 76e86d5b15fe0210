// Hosts that are added, renamed, labelled, removed, and whose records a person edits while the hub runs.

import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addHost, type HostRow, labelHost, listHosts, removeHost, renameHost, showHost } from '../../src/contract/host.ts'
import { cancelRun, getRun, listRuns, startRun } from '../../src/contract/run.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { type OtherHub, openOtherHub } from '../resources/other-hub.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

let far: OtherHub
let hub: TestHub
beforeAll(async () => {
  far = await openOtherHub({ version: '0.0.1' })
  hub = await openTestHub()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await far[Symbol.asyncDispose]()
})

const fileOf = (id: string) => join(hub.home.path, 'hosts', `${id}.toml`)
const list = () => hub.caller.call(listHosts, {})

async function add(name: string, more: { url?: string; secret?: string; labels?: Record<string, string> } = {}) {
  const { url = far.url, secret = far.token, labels = {} } = more
  return hub.caller.call(addHost, { name, labels, secret, connector: { kind: 'http', url } })
}

async function edit(id: string, change: (text: string) => string): Promise<void> {
  await writeFile(fileOf(id), change(await readFile(fileOf(id), 'utf8')))
}

function rowOnce(what: string, id: string, is: (row: HostRow) => boolean): Promise<HostRow> {
  return until(what, async () => (await list()).hosts.find((row) => row.id === id && is(row)))
}

test('a host that is added answers at once; its token is in no record, and show says what holds it', async () => {
  const { host, command } = await add('added', { labels: { zone: 'eu' } })
  expect(host).toMatchObject({ name: 'added', status: 'online', labels: { zone: 'eu' }, secret: 'file', connector: 'http' })
  expect(host.probe).toMatchObject({ answered: true, problem: null })
  expect(Math.abs(host.clockOffsetMs ?? Number.NaN)).toBeLessThan(10_000)
  expect(command).toBeNull()
  const record = await readFile(fileOf(host.id), 'utf8')
  expect(record).not.toContain(far.token)
  expect((await stat(join(hub.home.path, 'hub', 'secrets', `${host.id}.secret`))).mode & 0o777).toBe(0o600)
  expect(JSON.stringify([host, await list()])).not.toContain(far.token)
  await hub.caller.call(removeHost, { host: host.id })
  expect(await readdir(join(hub.home.path, 'hub', 'secrets'))).toEqual([])
  expect(await readdir(join(hub.home.path, 'hosts'))).toEqual([])
})

test('a host that refuses is added all the same, with the reason', async () => {
  const { host } = await add('refusing', { url: 'http://127.0.0.1:1' })
  expect(host.probe).toMatchObject({ answered: false, problem: expect.stringMatching(/refused/) })
  expect(host).toMatchObject({ status: 'never_seen', info: null, clockOffsetMs: null, versionSkew: null })
  await hub.caller.call(removeHost, { host: 'refusing' })
})

test.each([
  ['an unknown connector', { kind: 'pigeon' }, 'input.invalid'],
  ['no address', { kind: 'http' }, 'input.invalid'],
  ['a field that the connector does not have', { kind: 'http', url: 'https://box.example', token: 'x' }, 'input.invalid'],
  ['a secret in the address', { kind: 'http', url: 'https://me:word@box.example' }, 'input.invalid'],
  ['plain http beyond this machine', { kind: 'http', url: 'http://192.0.2.1:7878' }, 'link.insecure'],
  ['a kind that dials in', { kind: 'tunnel' }, 'host.dials_in'],
  ['a token that nobody wants', { kind: 'ssh', destination: 'deploy@box.example' }, 'host.no_token'],
  ['no token where one is wanted', { kind: 'http', url: 'https://box.example' }, 'host.token_missing', {}],
])('with %s nothing is added', async (_, connector, code, more: { secret?: string } = { secret: 'not-kept' }) => {
  const added = hub.caller.call(addHost, { name: 'never', connector, probe: false, ...more })
  await expect(added).rejects.toMatchObject({ code })
  expect((await list()).hosts.map(({ name }) => name)).toEqual(['local'])
  expect(await readdir(join(hub.home.path, 'hosts'))).toEqual([])
  expect(await readdir(join(hub.home.path, 'hub', 'secrets')).catch(() => [])).toEqual([])
})

test('names are unique however they are written, also for two that come at once', async () => {
  const { host } = await add('Ärger')
  await expect(add('a\u0308rger')).rejects.toMatchObject({ code: 'host.name_taken' })
  await expect(add('local')).rejects.toMatchObject({ code: 'host.name_taken' })
  const both = await Promise.allSettled([add('twin'), add('TWIN')])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  await expect(hub.caller.call(renameHost, { host: 'twin', name: 'ÄRGER' })).rejects.toMatchObject({ code: 'host.name_taken' })
  // Its own name in another spelling is free to it.
  expect(await hub.caller.call(renameHost, { host: host.id, name: 'ÄRGER' })).toMatchObject({ name: 'ÄRGER' })
  for (const name of ['twin', 'ärger']) await hub.caller.call(removeHost, { host: name })
})

test('renaming and labelling keep id, link and the rest of the record', async () => {
  const { host } = await add('before', { labels: { zone: 'eu', gpu: 'a100' } })
  await hub.caller.call(renameHost, { host: 'before', name: 'after' })
  const labelled = await hub.caller.call(labelHost, { host: 'after', set: { zone: 'us' }, unset: ['gpu', 'absent'] })
  expect(labelled).toMatchObject({ id: host.id, name: 'after', labels: { zone: 'us' }, status: 'online', since: host.since })
  expect(await readFile(fileOf(host.id), 'utf8')).toMatch(/name = "after"\n[\s\S]*zone = "us"[\s\S]*kind = "http"/)
  await expect(hub.caller.call(showHost, { host: 'before' })).rejects.toMatchObject({ code: 'host.unknown' })
  await hub.caller.call(removeHost, { host: 'after' })
})

test('the own host keeps its name, has no labels, and stays', async () => {
  await expect(hub.caller.call(renameHost, { host: 'local', name: 'x' })).rejects.toMatchObject({ code: 'host.local_fixed' })
  await expect(hub.caller.call(labelHost, { host: 'local', set: { a: 'b' } })).rejects.toMatchObject({ code: 'host.local_fixed' })
  await expect(hub.caller.call(removeHost, { host: 'local' })).rejects.toMatchObject({ code: 'host.local_stays' })
})

test('the version of a host is set beside that of this hub', async () => {
  const { host } = await add('skewed')
  expect(host).toMatchObject({ info: { version: expect.any(String) }, versionSkew: expect.stringMatching(/newer|other/) })
  await hub.caller.call(removeHost, { host: 'skewed' })
})

test('a name and labels that are edited by hand are taken up, and the link stays', async () => {
  const { host } = await add('edited')
  await edit(host.id, (text) => text.replace('"edited"', '"by-hand"').replace('[labels]', '[labels]\nrack = "7"'))
  const row = await rowOnce('the edit counts', host.id, ({ name }) => name === 'by-hand')
  expect(row).toMatchObject({ labels: { rack: '7' }, status: 'online', since: host.since })
  await hub.caller.call(removeHost, { host: 'by-hand' })
})

test('a connector that is edited by hand is opened anew', async () => {
  const { host } = await add('moved', { url: 'http://127.0.0.1:1' })
  await edit(host.id, (text) => text.replace('http://127.0.0.1:1', far.url))
  const row = await rowOnce('it is reached at its new address', host.id, ({ status }) => status === 'online')
  expect(row.label).toBe(far.url)
  await hub.caller.call(removeHost, { host: 'moved' })
})

test('a record that is edited into one that cannot be used says in place of its link why; mended, it is reached again', async () => {
  const { host } = await add('unusable')
  await edit(host.id, (text) => text.replace(far.url, 'http://192.0.2.1:7878'))
  // At first it says that the record was changed.
  const inTheClear = /^http:\/\/192\.0\.2\.1:7878 would send .* in the clear[^.]*$/
  const row = await rowOnce('the edit counts', host.id, ({ reason }) => inTheClear.test(reason ?? ''))
  expect(row.status).toBe('offline')
  const { corrupt } = await list()
  expect(corrupt).toEqual([{ file: fileOf(host.id), problem: row.reason }])
  await edit(host.id, (text) => text.replace('http://192.0.2.1:7878', far.url))
  await rowOnce('it is reached again', host.id, ({ status }) => status === 'online')
  await hub.caller.call(removeHost, { host: 'unusable' })
})

test('a host that was renamed is called by its new name in what its connector says', async () => {
  const { host } = await add('former', { secret: 'not-the-token' })
  expect(host.reason).toContain('muster host token former ')
  await hub.caller.call(renameHost, { host: 'former', name: 'present' })
  await rowOnce('its reason has the new name', host.id, ({ reason }) => reason?.includes('muster host token present ') === true)
  await hub.caller.call(removeHost, { host: 'present' })
})

test('a record that becomes unreadable is reported, its host is served as before, and mending it counts', async () => {
  const { host } = await add('torn')
  const whole = await readFile(fileOf(host.id), 'utf8')
  await writeFile(fileOf(host.id), whole.slice(0, whole.length / 2))
  const { corrupt, hosts } = await list()
  expect(corrupt).toEqual([{ file: fileOf(host.id), problem: expect.any(String) }])
  expect(hosts.find(({ id }) => id === host.id)).toMatchObject({ name: 'torn', status: 'online' })
  await expect(hub.caller.call(renameHost, { host: 'torn', name: 'x' })).rejects.toMatchObject({ code: 'host.record_corrupt' })
  expect(await hub.caller.call(showHost, { host: 'torn' })).toMatchObject({ probe: { answered: true } })
  await writeFile(fileOf(host.id), whole.replace('"torn"', '"mended"'))
  await rowOnce('the mended record counts', host.id, ({ name }) => name === 'mended')
  expect((await list()).corrupt).toEqual([])
  await hub.caller.call(removeHost, { host: 'mended' })
})

test('a record that is written by hand makes a host', async () => {
  const id = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
  await writeFile(fileOf(id), `id = "${id}"\nname = "written"\n\n[connector]\nkind = "http"\nurl = "${far.url}"\n`)
  const row = await rowOnce('it is there', id, () => true)
  expect(row).toMatchObject({ name: 'written', status: 'never_seen' })
  await hub.caller.call(removeHost, { host: 'written' })
})

test('a second record with a name that is taken is reported, and its host is known by its id', async () => {
  const { host } = await add('twice')
  const id = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAW'
  await writeFile(fileOf(id), (await readFile(fileOf(host.id), 'utf8')).replace(host.id, id))
  await rowOnce('it is there', id, () => true)
  expect((await list()).corrupt).toEqual([{ file: fileOf(id), problem: expect.stringContaining(host.id) }])
  expect(await hub.caller.call(showHost, { host: 'twice' })).toMatchObject({ id: host.id })
  for (const one of [id, host.id]) await hub.caller.call(removeHost, { host: one })
})

test('a record that is deleted by hand closes the link and is told; put back, the host is there again with its token', async () => {
  const { host } = await add('deleted')
  const whole = await readFile(fileOf(host.id), 'utf8')
  await rm(fileOf(host.id))
  await until('it is gone', async () => ((await list()).hosts.length === 1 ? true : undefined))
  expect((await list()).corrupt).toEqual([{ file: fileOf(host.id), problem: expect.stringContaining('deleted') }])
  await expect(hub.caller.call(showHost, { host: 'deleted' })).rejects.toMatchObject({ code: 'host.unknown' })
  await writeFile(fileOf(host.id), whole)
  await rowOnce('it is there again', host.id, ({ status }) => status === 'online')
  expect((await list()).corrupt).toEqual([])
  await rm(fileOf(host.id))
  await until('it is gone again', async () => ((await list()).hosts.length === 1 ? true : undefined))
  expect(await hub.caller.call(removeHost, { host: 'deleted' })).toMatchObject({ removed: host.id })
  expect((await list()).corrupt).toEqual([])
  expect(await readdir(join(hub.home.path, 'hub', 'secrets'))).toEqual([])
})

test('records that a hub finds when it opens are served, but for those that no connector takes', async () => {
  await using home = await makeHome()
  const former = await openTestHub({ home })
  const connector = { kind: 'http', url: far.url }
  const { host } = await former.caller.call(addHost, { name: 'kept', secret: far.token, connector })
  await former[Symbol.asyncDispose]()
  const id = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAX'
  const file = join(home.path, 'hosts', `${id}.toml`)
  await writeFile(file, `id = "${id}"\nname = "bare"\n[connector]\nkind = "http"\nurl = "http://192.0.2.1"\n`)
  await using again = await openTestHub({ home })
  const { hosts, corrupt } = await again.caller.call(listHosts, {})
  expect(hosts.map((row) => row.id)).toEqual(['local', host.id])
  expect(corrupt).toEqual([{ file, problem: expect.stringContaining('in the clear') }])
  await until('the other is reached with its token', async () => {
    const row = await again.caller.call(showHost, { host: 'kept' })
    return row.status === 'online' ? true : undefined
  })
})

test('what a record does not trust its host with is not begun there, also when that is edited while it waits', async () => {
  const connector = { kind: 'http', url: far.url }
  const { host } = await hub.caller.call(addHost, { name: 'narrow', trust: ['procs'], secret: far.token, connector })
  expect(host.trust).toEqual(['procs'])
  const refused = { code: 'host.untrusted', hint: expect.stringContaining(`hosts/${host.id}.toml`) }
  const spec = { kind: 'command' as const, argv: ['true'] }
  await expect(hub.submit(spec, { host: 'narrow', queue: true })).rejects.toMatchObject(refused)
  const itself = await hub.host('narrow')
  await expect(itself.call(startRun, { run: 'run_untrusted', spec, parent: null })).rejects.toMatchObject(refused)
  expect((await itself.call(listRuns, {})).runs.filter(({ id }) => id === 'run_untrusted')).toEqual([])

  await edit(host.id, (text) => text.replace('"procs"', '"procs", "runs"'))
  await rowOnce('the edit counts', host.id, ({ trust }) => trust.includes('runs'))
  expect(await hub.endOf(await hub.submit(spec, { host: 'narrow' }))).toMatchObject({ state: 'succeeded' })

  await edit(host.id, (text) => text.replace(far.url, 'http://127.0.0.1:1'))
  await rowOnce('it is away', host.id, ({ status }) => status === 'offline')
  const waiting = await hub.submit(spec, { host: 'narrow', queue: true })
  await edit(host.id, (text) => text.replace('"procs", "runs"', '').replace('http://127.0.0.1:1', far.url))
  expect(await hub.endOf(waiting)).toMatchObject({ state: 'failed', error: { code: 'host.untrusted' } })
  await hub.caller.call(removeHost, { host: 'narrow' })
})

test('a record whose file is renamed is served as before and named; a copy of it makes no second host', async () => {
  const { host } = await add('moved-file')
  const elsewhere = join(hub.home.path, 'hosts', 'my-box.toml')
  await rename(fileOf(host.id), elsewhere)
  const problem = expect.stringContaining(`must be called ${host.id}.toml`)
  await until('it is told', async () => ((await list()).corrupt.length > 0 ? true : undefined))
  // Seen by the hub too, whose turn it is after this one.
  await hub.caller.call(removeHost, { host: (await add('other')).host.id })
  expect(await list()).toMatchObject({
    corrupt: [{ file: elsewhere, problem }],
    hosts: [{ id: 'local' }, { id: host.id, status: 'online', since: host.since }],
  })
  await writeFile(fileOf(host.id), await readFile(elsewhere, 'utf8'))
  expect((await list()).corrupt).toEqual([{ file: elsewhere, problem }])
  expect((await list()).hosts).toHaveLength(2)
  await rm(elsewhere)
  expect((await list()).corrupt).toEqual([])
  await hub.caller.call(removeHost, { host: host.id })
})

test('a record that is deleted by hand while runs of it go on is removed for good only by force', async () => {
  const { host } = await add('deleted-busy')
  const { id } = await hub.submit({ kind: 'command', argv: ['sleep', '600'] }, { host: 'deleted-busy' })
  await until('it runs', async () =>
    (await (await hub.host('deleted-busy')).call(getRun, { run: id })).state === 'running' ? true : undefined,
  )
  await rm(fileOf(host.id))
  await until('it is gone', async () => ((await list()).hosts.length === 1 ? true : undefined))
  await expect(hub.caller.call(removeHost, { host: 'deleted-busy' })).rejects.toMatchObject({ code: 'host.busy' })
  expect(await readdir(join(hub.home.path, 'hub', 'secrets'))).toHaveLength(1)
  expect(await hub.caller.call(removeHost, { host: 'deleted-busy', force: true })).toMatchObject({ removed: host.id })
  // It goes on there, and is ended for the tests that follow.
  await add('again')
  const again = await hub.host('again')
  expect(await again.call(getRun, { run: id })).toMatchObject({ state: 'running' })
  await again.call(cancelRun, { run: id })
  await until('it ends', async () => ((await again.call(getRun, { run: id })).endedAt === null ? undefined : true))
  await hub.caller.call(removeHost, { host: 'again' })
  expect(await readdir(join(hub.home.path, 'hub', 'secrets'))).toEqual([])
})

test('a host that cannot be served, since its record is torn or cannot be used, can be removed with its secret', async () => {
  await using home = await makeHome()
  const former = await openTestHub({ home })
  const connector = { kind: 'http', url: far.url }
  const made = async (name: string) =>
    (await former.caller.call(addHost, { name, secret: far.token, connector, probe: false })).host.id
  const [torn, unusable] = [await made('torn'), await made('unusable')]
  await former[Symbol.asyncDispose]()
  const file = (id: string) => join(home.path, 'hosts', `${id}.toml`)
  await writeFile(file(torn), 'name = "torn')
  await writeFile(file(unusable), (await readFile(file(unusable), 'utf8')).replace(far.url, 'http://192.0.2.1'))
  await using again = await openTestHub({ home })
  expect((await again.caller.call(listHosts, {})).hosts.map(({ id }) => id)).toEqual(['local'])
  await expect(again.caller.call(removeHost, { host: `../hosts/${torn}` })).rejects.toMatchObject({ code: 'host.unknown' })
  expect(await again.caller.call(removeHost, { host: torn })).toMatchObject({ removed: torn })
  expect(await again.caller.call(removeHost, { host: 'unusable' })).toMatchObject({ removed: unusable })
  expect((await again.caller.call(listHosts, {})).corrupt).toEqual([])
  for (const folder of ['hosts', join('hub', 'secrets')]) expect(await readdir(join(home.path, folder))).toEqual([])
})

test('the token of a host whose record was deleted while no hub ran is taken away; that of one whose record is only torn or aside stays', async () => {
  await using home = await makeHome()
  const connector = { kind: 'http', url: far.url }
  const file = (id: string) => join(home.path, 'hosts', `${id}.toml`)
  const secrets = async () => (await readdir(join(home.path, 'hub', 'secrets'))).toSorted()
  const ids: string[] = []
  {
    await using former = await openTestHub({ home })
    for (const name of ['deleted', 'torn', 'renamed'])
      ids.push((await former.caller.call(addHost, { name, secret: far.token, connector, probe: false })).host.id)
  }
  const [deleted = '', torn = '', renamed = ''] = ids
  const all = ids.map((id) => `${id}.secret`).toSorted()
  await writeFile(file(torn), 'name = "torn')
  await rename(file(renamed), join(home.path, 'hosts', 'my-box.toml'))
  await rm(file(deleted))
  const openAndClose = async () => (await openTestHub({ home }))[Symbol.asyncDispose]()

  await rename(join(home.path, 'hosts'), join(home.path, 'hosts.away'))
  await openAndClose()
  expect(await secrets(), 'the folder is away').toEqual(all)
  await rm(join(home.path, 'hosts'), { recursive: true })
  await rename(join(home.path, 'hosts.away'), join(home.path, 'hosts'))

  await writeFile(join(home.path, 'hosts', 'other.toml'), 'id = "')
  await openAndClose()
  expect(await secrets(), "a record that may be anybody's").toEqual(all)
  await rm(join(home.path, 'hosts', 'other.toml'))

  await openAndClose()
  expect(await secrets()).toEqual(all.filter((name) => name !== `${deleted}.secret`))
})

test('a connector that is edited into one that cannot be used closes the link and is told until it is mended', async () => {
  const { host } = await add('spoilt')
  await edit(host.id, (text) => text.replace(far.url, 'http://192.0.2.1'))
  await rowOnce('its link is closed', host.id, ({ status }) => status === 'offline')
  await until('it is told', async () => ((await list()).corrupt.some(({ file }) => file === fileOf(host.id)) ? true : undefined))
  await edit(host.id, (text) => `${text}# looked at again\n`)
  await edit(host.id, (text) => text.replace('http://192.0.2.1', far.url))
  await rowOnce('it is reached again', host.id, ({ status }) => status === 'online')
  expect((await list()).corrupt).toEqual([])
  await hub.caller.call(removeHost, { host: 'spoilt' })
})

test('a folder of records that is away costs no host its link, and what is edited after it came back counts', async () => {
  const { host } = await add('steady')
  const dir = join(hub.home.path, 'hosts')
  await rename(dir, `${dir}.away`)
  const { hosts, corrupt } = await list()
  expect(hosts.find(({ id }) => id === host.id)).toMatchObject({ status: 'online' })
  expect(corrupt).toEqual([{ file: dir, problem: expect.stringContaining('no such') }])
  await rename(`${dir}.away`, dir)
  await edit(host.id, (text) => text.replace('"steady"', '"moved-back"'))
  await rowOnce('the edit counts', host.id, ({ name }) => name === 'moved-back')
  await hub.caller.call(removeHost, { host: 'moved-back' })
})
