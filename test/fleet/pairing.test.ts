// Pairing with real processes and sockets: a box asks, a person types at the hub what the box shows, and the box is a host from then on.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import type { PairingRow } from '../../src/contract/pairing.ts'
import type { Channel } from '../../src/wire/channel.ts'
import { dialWebSocket, pairingSubprotocol } from '../../src/wire/channels/websocket.ts'
import { temporaryIdentity } from '../../src/wire/identity.ts'
import { dialPairing } from '../../src/wire/pairing.ts'
import { eventually } from '../resources/eventually.ts'
import {
  type Home,
  makeHome,
  muster,
  musterJson,
  type Served,
  type ServedHub,
  serveHub,
  start,
  until,
  untilOnline,
} from '../resources/muster.ts'

const wsUrl = ({ url }: ServedHub) => url.replace('http', 'ws')

function startJoin(hub: ServedHub, home: Home, ...options: string[]): Served {
  return start(home.path, ['node', 'join', wsUrl(hub), ...options])
}

/** The code that is on its screen, once it is another than `former`. */
function codeShown(box: Served, former = ''): Promise<string> {
  return until(
    'it shows a code',
    async () => {
      const last = [...box.log().matchAll(/^ {4}(\d{3}) (\d{3})$/gm)].at(-1)
      const code = last && `${last[1]}${last[2]}`
      return code === former ? undefined : code
    },
    box,
  )
}

const waiting = async (hub: ServedHub) => (await musterJson<{ pairings: PairingRow[] }>(hub.home, ['pairing', 'list'])).pairings

/** What the box keeps of the hubs that it has joined. */
async function recordsOf({ path }: Home): Promise<string[]> {
  return (await readdir(join(path, 'node'))).filter((file) => file.endsWith('.json'))
}

it('a box asks, is approved by the code on its screen, serves at once, and needs neither address nor code ever after', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  await using hub = await serveHub(home)
  const box = startJoin(hub, boxHome, '--name', '机器-1', '--allow', 'runs')
  const code = await codeShown(box)
  const [row] = await waiting(hub)
  expect(row).toMatchObject({ kind: 'new', name: '机器-1', address: '127.0.0.1', asks: ['runs'] })
  expect(await recordsOf(boxHome)).toEqual([])
  const shown = await muster(home.path, ['pairing', 'list'])
  expect(shown.stdout).toContain('机器-1')
  expect(shown.stdout).not.toContain(code)

  const approved = await muster(home.path, ['pairing', 'approve', `${code.slice(0, 3)} ${code.slice(3)}`])
  expect(approved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^approved: 机器-1 \(host_\w+\)\n$/) })
  await untilOnline(hub, '机器-1', box)
  expect((await muster(home.path, ['exec', '机器-1', '--', 'echo', 'hello'])).stdout).toBe('hello\n')
  const [record = ''] = await recordsOf(boxHome)
  expect((await stat(join(boxHome.path, 'node', record))).mode & 0o777).toBe(0o600)
  const kept = await readFile(join(boxHome.path, 'node', record), 'utf8')
  expect(JSON.parse(kept)).toMatchObject({ hubUrl: wsUrl(hub), hubKey: record.replace('.json', ''), allow: ['runs'] })
  expect(hub.log()).not.toContain(code)
  await box.kill()

  await using again = start(boxHome.path, ['node'])
  await untilOnline(hub, '机器-1', again)
  expect((await muster(home.path, ['exec', '机器-1', '--', 'echo', 'again'])).stdout).toBe('again\n')
})

it('--once ends when it is let in, and says as what; a rejected one ends with the reason', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  await using otherHome = await makeHome()
  await using hub = await serveHub(home)
  const box = startJoin(hub, boxHome, '--once', '--json', '--name', 'box', '--allow', 'runs', '--allow', 'procs')
  const other = startJoin(hub, otherHome, '--once', '--name', 'other')
  await musterJson(home.path, ['pairing', 'approve', await codeShown(box), '--allow', 'procs', '--name', 'build-box'])
  await musterJson(home.path, ['pairing', 'reject', await codeShown(other)])
  expect(await box.ended).toEqual([0, null])
  expect(box.log()).toContain('Not all that it asks for was approved: the hub may do here procs.')
  expect(box.log()).toMatch(/"name": "build-box"/)
  expect(await other.ended).toEqual([3, null])
  expect(other.log()).toContain('This machine was turned away at the hub.')
  expect(await recordsOf(otherHome)).toEqual([])
})

it('a hub that is killed while a box waits knows nothing of it; the box asks anew and shows another code', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  const first = await serveHub(home)
  const { port } = new URL(first.url)
  await using box = startJoin(first, boxHome, '--once', '--name', 'box')
  const former = await codeShown(box)
  await first.kill()
  await using hub = await serveHub(home, { bind: `127.0.0.1:${port}` })
  const code = await codeShown(box, former)
  expect(await muster(home.path, ['pairing', 'approve', former])).toMatchObject({ code: 3 })
  expect((await muster(home.path, ['pairing', 'approve', code])).code).toBe(0)
  expect(await box.ended).toEqual([0, null])
  expect(hub.log()).not.toContain(code)
})

it('a node leaves: its hub lists it no more, its link is cut, and nothing is kept of that hub', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  await using hub = await serveHub(home)
  const box = startJoin(hub, boxHome, '--name', 'box')
  await muster(home.path, ['pairing', 'approve', await codeShown(box)])
  await untilOnline(hub, 'box', box)
  const left = await musterJson<{ told: boolean }>(boxHome.path, ['node', 'leave'])
  expect(left).toMatchObject({ left: wsUrl(hub), name: 'box', told: true })
  expect(await box.ended).toEqual([3, null])
  const { hosts } = await musterJson<{ hosts: { name: string }[] }>(home.path, ['host', 'list'])
  expect(hosts.map(({ name }) => name)).toEqual(['local'])
  expect(await recordsOf(boxHome)).toEqual([])
  expect((await muster(boxHome.path, ['node', 'leave'])).stderr).toContain('This machine has joined no hub.')
  expect((await muster(boxHome.path, ['node'])).stderr).toContain('joined none yet')
})

it('a node whose hub is away forgets it all the same, and says what is left to do there', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  const hub = await serveHub(home)
  const box = startJoin(hub, boxHome, '--once', '--name', 'box')
  await muster(home.path, ['pairing', 'approve', await codeShown(box)])
  await box.ended
  await hub.kill()
  const left = await muster(boxHome.path, ['node', 'leave', wsUrl(hub)])
  expect(left.code).toBe(0)
  expect(left.stderr).toContain('muster host remove box')
  expect(await recordsOf(boxHome)).toEqual([])
})

it('64 strangers that connect to be let in and say nothing keep out nobody', async () => {
  await using home = await makeHome()
  await using boxHome = await makeHome()
  await using hub = await serveHub(home)
  const strangers = await Promise.all(Array.from({ length: 64 }, () => dialToPair(hub)))
  await using box = startJoin(hub, boxHome, '--once', '--name', 'box')
  expect((await muster(home.path, ['pairing', 'approve', await codeShown(box)])).code).toBe(0)
  expect(await box.ended).toEqual([0, null])
  for (const stranger of strangers) stranger.receive(() => {})
  const reasons = await Promise.all(strangers.map(({ closed }) => closed))
  for (const { message } of reasons) expect(message).toContain('call.deadline')
})

it('what is said out of turn over a real socket ends that connection and nothing else', async () => {
  await using home = await makeHome()
  await using hub = await serveHub(home)
  for (const text of [
    'let me in',
    '{"jsonrpc":"2.0","id":1,"result":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"$/hello","params":{"hello":"{}"}}',
    '{"jsonrpc":"2.0","id":3,"method":"$/wait","params":{}}',
    `{"jsonrpc":"2.0","id":1,"method":"$/pair","params":{"commitment":"${'A'.repeat(65_536)}"}}`,
  ]) {
    const channel = await dialToPair(hub)
    channel.receive(() => {})
    channel.send({ kind: 'text', text })
    expect((await channel.closed).code, text.slice(0, 80)).toMatch(/^wire\./)
  }
  expect(await waiting(hub)).toEqual([])
})

it('a second connection of the same key is a second machine that waits, and only the approved one is told', async () => {
  await using home = await makeHome()
  await using hub = await serveHub(home)
  const identity = temporaryIdentity()
  const one = await askBySocket(hub, identity)
  const two = await askBySocket(hub, identity)
  expect(await waiting(hub)).toHaveLength(2)
  await musterJson(home.path, ['pairing', 'approve', two.code])
  expect(await two.welcome).toMatchObject({ host: { name: 'box' } })
  expect(await waiting(hub)).toMatchObject([{ kind: 'rejoin', name: 'box' }])
  one.channel.close(failure('wire.closed', { reason: 'the test is over' }))
  await eventually(async () => expect(await waiting(hub)).toEqual([]))
})

function dialToPair(hub: ServedHub): Promise<Channel> {
  return dialWebSocket(`${wsUrl(hub)}/api/v1/tunnel`, { timeoutMs: 30_000, subprotocol: pairingSubprotocol })
}

async function askBySocket(hub: ServedHub, identity = temporaryIdentity()) {
  const channel = await dialToPair(hub)
  const shown = Promise.withResolvers<string>()
  const paired = dialPairing(channel, {
    identity,
    software: '1',
    timeoutMs: 30_000,
    wishes: { name: 'box', platform: 'linux', arch: 'x64', asks: [] },
    onCode: ({ code }) => shown.resolve(code),
  })
  return {
    channel,
    code: await shown.promise,
    welcome: paired.then(
      ({ welcome }) => welcome,
      () => undefined,
    ),
  }
}
