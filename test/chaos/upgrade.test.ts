// Versions that are one apart: of the protocol between hub and node, and of the database. What can go together does, what cannot is
// refused with both versions and what to do, and a database of the former schema opens with what is live in it.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { formatEnrolmentToken } from '../../src/connectors/enrolment-token.ts'
import { findRun, submitRun } from '../../src/contract/fleet.ts'
import { listHosts } from '../../src/contract/host.ts'
import { readOutput } from '../../src/contract/output.ts'
import type { Run } from '../../src/contract/run.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { migrate, migrations } from '../../src/store/migrate.ts'
import { kyselyOver } from '../../src/store/sqlite/connection.ts'
import { tunnelSubprotocol } from '../../src/wire/channels/websocket.ts'
import { makeHello, parseHello, proofBytes } from '../../src/wire/hello.ts'
import { type Identity, temporaryIdentity } from '../../src/wire/identity.ts'
import { defaultLimits } from '../../src/wire/limits.ts'
import { oldestProtocolVersion, protocolVersion } from '../../src/wire/protocol.ts'
import {
  joinNode,
  makeHome,
  muster,
  musterJson,
  rejoinNode,
  type ServedHub,
  serveHub,
  start,
  until,
  untilOnline,
} from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'

interface Answer {
  readonly result?: { hello?: string; host?: { id: string } }
  readonly error?: { data: { code: string; message: string; hint: string } }
}

/** The hello of software that speaks other versions. */
function helloOf(role: string, { publicKey }: Identity, protocol: { min: number; max: number }): string {
  return JSON.stringify({
    ...parseHello(makeHello({ role, software: '9.9.9', key: publicKey, limits: defaultLimits })),
    protocol,
  })
}

/** Joins as a node of other versions would, at the wire; the hub's last answer. */
async function joinAs(hub: ServedHub, protocol: { min: number; max: number }, credential: string): Promise<Answer> {
  const identity = temporaryIdentity()
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/api/v1/tunnel`, tunnelSubprotocol)
  const ask = async (id: number, method: string, params: unknown): Promise<Answer> => {
    const answered = once(socket, 'message')
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return JSON.parse(String((await answered)[0])) as Answer
  }
  try {
    await once(socket, 'open')
    const hello = helloOf('node', identity, protocol)
    const met = await ask(1, '$/hello', { hello })
    if (!met.result?.hello) return met
    const signature = Buffer.from(identity.sign(proofBytes('dialer', hello, met.result.hello))).toString('base64url')
    return await ask(2, '$/prove', { signature, credential })
  } finally {
    socket.terminate()
  }
}

/** A hub of other versions, as far as its hello. */
async function hubOf(identity: Identity, protocol: { min: number; max: number }): Promise<{ url: string } & AsyncDisposable> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => tunnelSubprotocol })
  server.on('connection', (socket) =>
    socket.once('message', (data) => {
      const { params } = JSON.parse(String(data)) as { params: { hello: string } }
      const hello = helloOf('hub', identity, protocol)
      const signature = Buffer.from(identity.sign(proofBytes('acceptor', params.hello, hello))).toString('base64url')
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { hello, signature } }))
    }),
  )
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a node one protocol version apart is refused with both versions and which to upgrade; one that also speaks ours joins', async () => {
  await using home = await makeHome()
  await using hub = await serveHub(home)
  using client = await clientOf(hub)
  const { token, host } = await musterJson<{ token: string; host: string }>(hub.home, ['node', 'enroll', 'box'])

  const newer = protocolVersion + 1
  const older = oldestProtocolVersion - 1
  for (const [version, toUpgrade] of [
    [newer, 'the hub'],
    [older, 'its other side'],
  ] as const) {
    const refused = await joinAs(hub, { min: version, max: version }, token)
    expect(refused.error?.data).toMatchObject({
      code: 'wire.version',
      message: expect.stringMatching(new RegExp(`the hub speaks ${protocolVersion}\\b.*, its other side ${version}\\.$`)),
      hint: expect.stringContaining(`The older is ${toUpgrade}`),
    })
  }
  const { hosts } = await client.hub.call(listHosts, {})
  expect(hosts.find(({ id }) => id === host)).toMatchObject({ status: 'never_seen' })

  expect(await joinAs(hub, { min: older, max: newer }, token)).toMatchObject({ result: { host: { id: host } } })
})

test('a node tells of a hub one protocol version apart with both versions and which to upgrade, and does not dial on', async () => {
  await using home = await makeHome()
  const identity = temporaryIdentity()
  const token = formatEnrolmentToken('host_01M7YSV1E1QK4B168F7R6P0FHN', identity.fingerprint, 'e3'.repeat(32))
  for (const [version, toUpgrade] of [
    [protocolVersion + 1, 'the node'],
    [oldestProtocolVersion - 1, 'its other side'],
  ] as const) {
    await using hub = await hubOf(identity, { min: version, max: version })
    const node = start(home.path, ['node', '--hub', hub.url, '--token-stdin'], {}, token)
    await node.ended
    expect(node.child.exitCode).toBe(6)
    expect(node.log()).toMatch(new RegExp(`the node speaks ${protocolVersion}\\b.*, its other side ${version}\\.`))
    expect(node.log()).toMatch(new RegExp(`hint: The older is ${toUpgrade}: upgrade`))
  }
})

/** Rewrites a database as a former release would have left it: its schema, and all of every row that it knows of. */
async function takeBackTo(release: string, file: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-former-'))
  const before = join(dir, 'former.db')
  const older = kyselyOver(new DatabaseSync(before))
  const known = Object.entries(migrations('text'))
  await migrate(older, Object.fromEntries(known.slice(0, known.findIndex(([name]) => name === release) + 1)))
  await older.destroy()
  const database = new DatabaseSync(before)
  database.exec('pragma journal_mode = wal')
  database.prepare('attach ? as now').run(file)
  const tables = database.prepare("select name from main.sqlite_schema where type = 'table' and name not like 'kysely%'").all()
  for (const { name: table } of tables) {
    const columns = database
      .prepare(`select name from pragma_table_info('${table}')`)
      .all()
      .map((column) => `"${column.name}"`)
    // A migration may have put rows of its own there.
    database.exec(`insert or replace into main."${table}" (${columns}) select ${columns} from now."${table}"`)
  }
  database.exec('detach now')
  database.close()
  for (const rest of ['-wal', '-shm']) await rm(`${file}${rest}`, { force: true })
  // Not across file systems, so that it is the same directory's file afterwards.
  await rename(before, file)
  await rm(dir, { recursive: true })
}

const submit = (client: HubClient, host: string, argv: readonly string[], queue = false): Promise<Run> =>
  client.hub.call(submitRun, { host, spec: { kind: 'command', argv: [...argv] }, queue })

async function outputOf(client: HubClient, { host, id }: Run): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of client.host(host).bytes(readOutput, { run: id, stream: 'stdout', follow: true })) parts.push(part)
  return String(Buffer.concat(parts))
}

/** The first, and the one before the newest; those between are taken up in src/store/migrate.test.ts. */
const formerReleases = Object.keys(migrations('text')).slice(0, -1)

test.each([formerReleases.at(0), formerReleases.at(-1)] as string[])(
  'databases as of %s open with the runs that are live in them, and with those that have ended',
  async (release) => {
    await using home = await makeHome()
    await using nodeHome = await makeHome()
    const dir = await mkdtemp(join(tmpdir(), 'muster-upgrade-'))
    await using _dir = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
    const go = join(dir, 'go')
    const bind = { bind: '' }
    const lasting = ['sh', '-c', `echo begun; while [ ! -e ${go} ]; do sleep 0.1; done; echo over`]
    const runs: Record<string, Run> = {}
    {
      await using hub = await serveHub(home)
      await using node = await joinNode(hub, 'box', nodeHome)
      using client = await clientOf(hub)
      bind.bind = new URL(hub.url).host
      for (const host of ['local', 'box']) {
        runs[`${host} ended`] = await endOf(client, (await submit(client, host, ['echo', `from ${host}`])).id)
        const { id } = await submit(client, host, lasting)
        runs[`${host} live`] = await until(`${id} runs`, async () => {
          const run = await client.hub.call(findRun, { run: id })
          return run.state === 'running' ? run : undefined
        })
      }
      await outputOf(client, runs['box ended'] as Run)
      await node.kill()
      runs.waiting = await submit(client, 'box', ['echo', 'waited'], true)
      await hub.kill()
    }
    for (const file of [
      join(home.path, 'hub', 'hub.db'),
      join(home.path, 'host', 'host.db'),
      join(nodeHome.path, 'host', 'host.db'),
    ]) {
      await takeBackTo(release, file)
    }

    await using hub = await serveHub(home, bind)
    await using _node = await rejoinNode(hub, 'box', nodeHome)
    using client = await clientOf(hub)
    for (const host of ['local', 'box']) {
      const { id, pid } = runs[`${host} live`] as Run
      expect(await client.hub.call(findRun, { run: id })).toMatchObject({ state: 'running', pid })
      expect(await client.hub.call(findRun, { run: runs[`${host} ended`]?.id ?? '' })).toEqual(runs[`${host} ended`])
      expect(await outputOf(client, runs[`${host} ended`] as Run)).toBe(`from ${host}\n`)
    }
    expect(await muster(home.path, ['exec', 'local', '--', 'touch', go])).toMatchObject({ code: 0 })
    for (const host of ['local', 'box']) {
      const live = runs[`${host} live`] as Run
      expect(await endOf(client, live.id)).toMatchObject({ state: 'succeeded', error: null })
      expect(await outputOf(client, live)).toBe('begun\nover\n')
    }
    const waited = await endOf(client, runs.waiting?.id ?? '')
    expect(waited).toMatchObject({ state: 'succeeded', error: null })
    expect(await outputOf(client, waited)).toBe('waited\n')
    for (const file of ['hub/hub.db', 'host/host.db']) {
      const database = new DatabaseSync(join(home.path, file), { readOnly: true })
      expect(
        database
          .prepare('select name from kysely_migration order by name')
          .all()
          .map(({ name }) => name),
      ).toEqual(Object.keys(migrations('text')))
      database.close()
    }
  },
)

/** The sources as of the next protocol version, which still speaks this one. */
async function nextRelease(dir: string): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  for (const part of ['src', 'bin', 'package.json']) await cp(join(root, part), join(dir, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  const file = join(dir, 'src', 'wire', 'protocol.ts')
  const protocol = await readFile(file, 'utf8')
  const raised = protocol.replace(`protocolVersion = ${protocolVersion}\n`, `protocolVersion = ${protocolVersion + 1}\n`)
  expect(raised).not.toBe(protocol)
  await writeFile(file, raised)
  return join(dir, 'bin', 'muster.js')
}

test('a node of another version takes up what the former one runs, while the keeper of that version lives on, and starts more', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  const dir = await mkdtemp(join(tmpdir(), 'muster-upgrade-'))
  await using _dir = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
  const go = join(dir, 'go')
  const next = await nextRelease(dir)
  await using hub = await serveHub(home)
  using client = await clientOf(hub)
  const { token } = await musterJson<{ token: string }>(hub.home, ['node', 'enroll', 'box'])
  const args = ['node', '--hub', hub.url.replace('http', 'ws'), '--allow', 'runs']
  const former = spawn(process.execPath, [next, ...args, '--token-stdin'], {
    env: { ...process.env, MUSTER_HOME: nodeHome.path },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  former.stdin.end(token)
  await untilOnline(hub, 'box', { child: former })
  const lasting = ['sh', '-c', `echo begun; while [ ! -e ${go} ]; do sleep 0.1; done; seq 1 50000; exit 7`]
  const { id } = await submit(client, 'box', lasting)
  const { pid } = await until(`${id} runs`, async () => {
    const run = await client.hub.call(findRun, { run: id })
    return run.state === 'running' ? run : undefined
  })
  former.kill('SIGKILL')
  await once(former, 'close')

  await using _node = await rejoinNode(hub, 'box', nodeHome)
  const started = await endOf(client, (await submit(client, 'box', ['echo', 'new'])).id)
  expect(await outputOf(client, started)).toBe('new\n')
  expect(await client.hub.call(findRun, { run: id })).toMatchObject({ state: 'running', pid })
  await writeFile(go, '')
  const ended = await endOf(client, id)
  expect(ended).toMatchObject({ state: 'failed', exit: { code: 7 }, error: null })
  expect(await outputOf(client, ended)).toBe(`begun\n${Array.from({ length: 50_000 }, (_, n) => `${n + 1}\n`).join('')}`)
})

test('a database that a newer Muster wrote is refused by hub and node with what to do, and stays as it is', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  let address = ''
  {
    await using hub = await serveHub(home)
    await using _node = await joinNode(hub, 'box', nodeHome)
    address = hub.url.replace('http', 'ws')
    expect(await muster(home.path, ['exec', 'local,box', '--', 'true'])).toMatchObject({ code: 0 })
  }
  const starts = [
    { file: join(home.path, 'hub', 'hub.db'), from: home.path, args: ['hub', 'serve', '--bind', '127.0.0.1:0', '--no-open'] },
    { file: join(home.path, 'hub', 'hub.db'), from: home.path, args: ['hub', 'start', '--bind', '127.0.0.1:0'] },
    { file: join(nodeHome.path, 'host', 'host.db'), from: nodeHome.path, args: ['node', '--hub', address, '--allow', 'runs'] },
  ]
  for (const { file, from, args } of starts) {
    const database = new DatabaseSync(file)
    database.exec("insert or ignore into kysely_migration (name, timestamp) values ('999-from-the-future', '2030')")
    database.exec('pragma wal_checkpoint(truncate)')
    database.close()
    const before = await digestOf(file)
    const refused = await muster(from, args)
    expect(refused).toMatchObject({
      code: 8,
      stderr: expect.stringMatching(
        /written by a newer Muster \(migration 999-from-the-future\)\.[\s\S]*hint: Upgrade this Muster/,
      ),
    })
    expect(await digestOf(file)).toBe(before)
  }
})

async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
