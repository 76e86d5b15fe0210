// Pairing at a whole hub: who is let in, under which name, with how much, and what becomes of him who is not. The wire is the real one.

import { join } from 'node:path'
import pino from 'pino'
import { expect, test } from 'vitest'
import { asMusterError } from '../../src/contract/errors.ts'
import { followFleetEvents } from '../../src/contract/fleet-event.ts'
import { enrollNode, listHosts, removeHost, renameHost, replaceHostToken } from '../../src/contract/host.ts'
import type { Principal } from '../../src/contract/implementation.ts'
import { approvePairing, listPairings, type PairingRow, rejectPairing } from '../../src/contract/pairing.ts'
import { applyProc } from '../../src/contract/proc.ts'
import { openHost } from '../../src/host/host.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import { dialHandshake } from '../../src/wire/handshake.ts'
import { type Identity, temporaryIdentity } from '../../src/wire/identity.ts'
import { dialPairing } from '../../src/wire/pairing.ts'
import { createPeer } from '../../src/wire/peer.ts'
import { eventually } from '../resources/eventually.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

interface Ask {
  readonly identity?: Identity
  readonly name?: string
  readonly asks?: string[]
  readonly address?: string
}

/** A machine that asks to be let in and shows its code. `ended`: its welcome, or why it has none. */
async function ask(hub: TestHub, { identity = temporaryIdentity(), name = 'box', asks = ['runs'], address }: Ask = {}) {
  const [end, hubEnd] = memoryChannels()
  const shown = Promise.withResolvers<string>()
  void hub.acceptPairing(hubEnd, address)
  const ended = dialPairing(end, {
    identity,
    software: '1.2.3',
    timeoutMs: 10_000,
    wishes: { name, platform: 'linux', arch: 'x64', asks },
    onCode: ({ code }) => shown.resolve(code),
  }).then(
    ({ welcome }) => welcome as { host: { id: string; name: string }; trust: string[] },
    (error) => {
      shown.reject(error)
      return asMusterError(error)
    },
  )
  const code = await shown.promise
  return { identity, code, ended, channel: end }
}

const approve = (hub: TestHub, input: Parameters<typeof hub.caller.call<typeof approvePairing>>[1]) =>
  hub.caller.call(approvePairing, input)

async function waiting(hub: TestHub): Promise<PairingRow[]> {
  return (await hub.caller.call(listPairings, {})).pairings
}

async function hosts(hub: TestHub) {
  return (await hub.caller.call(listHosts, {})).hosts.filter(({ id }) => id !== 'local')
}

/** As the node of that key, with a host of its own that allows what it is told. */
async function serve(hub: TestHub, identity: Identity, allow: string[] = ['runs']): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  const home = stack.use(await makeHome())
  const host = stack.use(
    await openHost({
      home: join(home.path, 'host'),
      musterHome: home.path,
      name: 'box',
      policy: { allow },
      log: pino({ level: 'silent' }),
    }),
  )
  const [end, hubEnd] = memoryChannels()
  const admitted = hub.acceptTunnel(hubEnd)
  const { peerKey } = await dialHandshake(end, { identity, role: 'node', software: '1', timeoutMs: 10_000 })
  const principal: Principal = { kind: 'hub', id: peerKey, role: 'hub', scopes: new Set(['read', 'operate', 'admin']) }
  stack.use(createPeer(end, { offers: host.offers, principal }))
  await admitted
  return stack
}

/** What subscribers have heard of pairing. */
const told = (hub: TestHub) => Array.fromAsync(hub.caller.items(followFleetEvents, { topics: ['pairing.*'] }))

const statusOf = async (hub: TestHub, name: string) => (await hosts(hub)).find((host) => host.name === name)?.status

test('a machine is let in by the code that it shows: as a new host, with what it asked for, and its key is then its credential', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub, { address: '192.0.2.7' })
  const [row] = await waiting(hub)
  expect(row).toMatchObject({
    kind: 'new',
    name: 'box',
    nameTaken: false,
    host: null,
    key: machine.identity.fingerprint,
    address: '192.0.2.7',
    platform: 'linux x64',
    software: '1.2.3',
    asks: ['runs'],
    approved: [],
    triesLeft: 5,
  })
  expect(JSON.stringify(row)).not.toContain(machine.code)
  await expect(serve(hub, machine.identity)).rejects.toMatchObject({ code: 'node.unknown' })

  const approved = await approve(hub, { code: machine.code })
  expect(approved).toMatchObject({ kind: 'new', name: 'box', trust: ['runs'] })
  expect(await machine.ended).toEqual({ host: { id: approved.host, name: 'box' }, trust: ['runs'] })
  expect(await hosts(hub)).toMatchObject([{ id: approved.host, name: 'box', connector: 'tunnel', trust: ['runs'] }])
  expect(await waiting(hub)).toEqual([])
  await using _node = await serve(hub, machine.identity)
  expect(await statusOf(hub, 'box')).toBe('online')
  const run = await hub.submit({ kind: 'command', argv: ['true'] }, { host: 'box' })
  expect((await hub.endOf(run)).state).toBe('succeeded')
  const data = { name: 'box', address: '192.0.2.7' }
  await eventually(async () =>
    expect(await told(hub)).toMatchObject([
      { topic: 'pairing.requested', host: null, data },
      { topic: 'pairing.approved', host: approved.host, data },
    ]),
  )
})

test('a code counts once, and for its own machine', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  const other = await ask(hub, { name: 'other' })
  const both = await Promise.allSettled([approve(hub, { code: machine.code }), approve(hub, { code: machine.code })])
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  await expect(approve(hub, { code: machine.code })).rejects.toMatchObject({ code: 'pairing.decided' })
  expect((await hosts(hub)).map(({ name }) => name)).toEqual(['box'])
  expect((await waiting(hub)).map(({ name }) => name)).toEqual(['other'])
  await hub.caller.call(rejectPairing, { code: other.code })
  expect(await other.ended).toMatchObject({ code: 'pairing.rejected' })
  await expect(serve(hub, other.identity)).rejects.toMatchObject({ code: 'node.unknown' })
})

test('what stands between the two gets no further: the code that the machine shows is none of those that wait', async () => {
  await using hub = await openTestHub()
  const relay = await ask(hub, { identity: temporaryIdentity(), name: 'box' })
  // The machine itself pairs with the relay, and so shows another code; whoever approves reads that one.
  const shownOnTheBox = relay.code === '000000' ? '000001' : '000000'
  await expect(approve(hub, { code: shownOnTheBox })).rejects.toMatchObject({ code: 'pairing.code_wrong' })
  await expect(serve(hub, relay.identity)).rejects.toMatchObject({ code: 'node.unknown' })
  expect(await hosts(hub)).toEqual([])
})

test('the approver may grant less than was asked, and not more', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub, { asks: ['runs', 'procs'] })
  const narrow = await ask(hub, { name: 'narrow', asks: [] })
  await expect(approve(hub, { code: narrow.code, allow: ['runs'] })).rejects.toMatchObject({ code: 'pairing.not_asked' })
  await approve(hub, { code: machine.code, allow: ['procs'] })
  expect((await machine.ended) as object).toMatchObject({ trust: ['procs'] })
  await using _node = await serve(hub, machine.identity, ['runs', 'procs'])
  await expect(hub.submit({ kind: 'command', argv: ['true'] }, { host: 'box' })).rejects.toMatchObject({ code: 'host.untrusted' })
  const said = async () => (await hosts(hub)).find(({ name }) => name === 'box')?.info?.allows
  await eventually(async () => expect(await said()).toEqual(['runs', 'procs']))
  // What was withheld a moment ago is not asked about again.
  expect((await waiting(hub)).map(({ name }) => name)).toEqual(['narrow'])
  await approve(hub, { code: narrow.code })
  expect((await hosts(hub)).map(({ name, trust }) => [name, trust])).toEqual([
    ['box', ['procs']],
    ['narrow', []],
  ])
})

test('a machine that comes again with its key is the same host, under the name that it has here', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  const { host } = await approve(hub, { code: machine.code })
  await hub.caller.call(renameHost, { host, name: 'renamed' })
  const again = await ask(hub, { identity: machine.identity, name: 'whatever', asks: ['procs'] })
  expect(await waiting(hub)).toMatchObject([{ kind: 'rejoin', host, name: 'renamed', approved: ['runs'], asks: ['procs'] }])
  expect(await approve(hub, { code: again.code })).toEqual({ host, name: 'renamed', kind: 'rejoin', trust: ['procs'] })
  expect(await again.ended).toMatchObject({ host: { id: host, name: 'renamed' } })
  expect(await hosts(hub)).toMatchObject([{ id: host, name: 'renamed', trust: ['procs'] }])
})

test('one that joined by a token and asks by pairing is the host that it is', async () => {
  await using hub = await openTestHub()
  const { host, token } = await hub.caller.call(enrollNode, { name: 'box' })
  const identity = temporaryIdentity()
  const [end, hubEnd] = memoryChannels()
  void hub.acceptTunnel(hubEnd)
  await dialHandshake(end, { identity, role: 'node', software: '1', timeoutMs: 10_000, credential: token })
  const machine = await ask(hub, { identity, name: 'other' })
  expect(await approve(hub, { code: machine.code })).toMatchObject({ host, name: 'box', kind: 'rejoin' })
  expect(await hosts(hub)).toHaveLength(1)
})

test.each([
  ['as it is', 'box'],
  ['in other letters', 'BOX'],
  ['in wide letters', 'ｂｏｘ'],
])('a name that is taken, written %s, is the approver’s to mend; the machine waits on', async (_, name) => {
  await using hub = await openTestHub()
  await hub.caller.call(enrollNode, { name: 'Box' })
  const machine = await ask(hub, { name })
  expect(await waiting(hub)).toMatchObject([{ name, nameTaken: true }])
  await expect(approve(hub, { code: machine.code })).rejects.toMatchObject({ code: 'host.name_taken' })
  await approve(hub, { code: machine.code, name: 'box-2' })
  expect(await machine.ended).toMatchObject({ host: { name: 'box-2' } })
})

test.each([['机器-1'], ['मशीन'], ['Größe'], ['κόσμος']])('%s is a name, however it is encoded', async (name) => {
  await using hub = await openTestHub()
  const machine = await ask(hub, { name: name.normalize('NFD') })
  await approve(hub, { code: machine.code })
  const second = await ask(hub, { name: name.normalize('NFC').toUpperCase() })
  await expect(approve(hub, { code: second.code })).rejects.toMatchObject({ code: 'host.name_taken' })
  expect(await machine.ended).toMatchObject({ host: { name: name.normalize('NFC') } })
  expect(await statusOf(hub, name.normalize('NFC'))).toBe('never_seen')
})

test.each([
  ['a name that leads elsewhere', { name: '../../etc' }],
  ['a name with a line feed', { name: 'box\nroot' }],
  ['a name with what is not drawn', { name: 'bo\u200bx' }],
  ['a name of nothing but what is not drawn', { name: '\u3164' }],
  ['a wish that is none', { asks: ['../runs'] }],
])('%s is refused before anybody waits', async (_, wishes) => {
  await using hub = await openTestHub()
  await expect(ask(hub, wishes)).rejects.toMatchObject({ code: 'input.invalid' })
  expect(await waiting(hub)).toEqual([])
})

test('a machine that is gone waits no more, and its code is worth nothing', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  machine.channel.close(asMusterError(new Error('cut')))
  await until('it waits no more', async () => ((await waiting(hub)).length === 0 ? true : undefined))
  await expect(approve(hub, { code: machine.code })).rejects.toMatchObject({ code: 'pairing.code_wrong' })
  expect(await hosts(hub)).toEqual([])
})

test('one source cannot keep another out', async () => {
  await using hub = await openTestHub()
  const crowd = []
  for (let n = 0; n < 3; n++) crowd.push(await ask(hub, { name: `box-${n}`, address: '198.51.100.1' }))
  await expect(ask(hub, { address: '198.51.100.1' })).rejects.toMatchObject({ code: 'pairing.crowded' })
  const other = await ask(hub, { name: 'other', address: '203.0.113.1' })
  await approve(hub, { code: other.code })
  expect((await hosts(hub)).map(({ name }) => name)).toEqual(['other'])
})

test('codes that are guessed through the API let nobody in', async () => {
  await using hub = await openTestHub()
  const guesses = 20_000
  const answers = new Map<string, number>()
  let machines = 0
  for (let n = 0; n < guesses; n++) {
    if (n % 20_000 === 0) {
      await ask(hub, { name: `box-${machines++}`, address: `198.51.100.${machines}` })
    }
    const code = String((n * 7919) % 1_000_000).padStart(6, '0')
    const answer = await approve(hub, { code }).then(
      () => 'let in',
      (error) => asMusterError(error).code,
    )
    answers.set(answer, (answers.get(answer) ?? 0) + 1)
  }
  console.log(`pairing: ${guesses} guesses at ${machines} machines: ${JSON.stringify(Object.fromEntries(answers))}`)
  expect(answers.get('let in')).toBeUndefined()
  expect(answers.get('pairing.locked')).toBeGreaterThan(guesses * 0.99)
  expect(await hosts(hub)).toEqual([])
  await eventually(async () => expect((await told(hub)).map(({ topic }) => topic)).toContain('pairing.void'))
})

test('a host that asks for more than was approved keeps that, and one request waits until it is decided', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  const { host } = await approve(hub, { code: machine.code })
  for (let start = 0; start < 2; start++) {
    await using _node = await serve(hub, machine.identity, ['runs', 'procs'])
    const found = await until('it asks', async () => ((await waiting(hub)).length > 0 ? await waiting(hub) : undefined))
    expect(found).toMatchObject([{ kind: 'upgrade', id: host, host, name: 'box', asks: ['procs'], approved: ['runs'] }])
    const box = await hub.host('box')
    await expect(box.call(applyProc, { proc: 'p', spec: { argv: ['true'] } })).rejects.toMatchObject({ code: 'host.untrusted' })
  }
  await until('it is away', async () => ((await statusOf(hub, 'box')) === 'offline' ? true : undefined))
  expect(await waiting(hub)).toEqual([])
  await expect(approve(hub, { host: 'box' })).rejects.toMatchObject({ code: 'pairing.no_upgrade' })
  await using _node = await serve(hub, machine.identity, ['runs', 'procs'])
  await until('it asks', async () => ((await waiting(hub)).length > 0 ? true : undefined))
  expect(await approve(hub, { host: 'box' })).toEqual({ host, name: 'box', kind: 'upgrade', trust: ['runs', 'procs'] })
  expect(await waiting(hub)).toEqual([])
  expect(await hosts(hub)).toMatchObject([{ trust: ['runs', 'procs'] }])
})

test('a command that the machine exposes after it was let in is asked for like that', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub, { asks: ['runs', 'file.*'] })
  await approve(hub, { code: machine.code })
  await using _node = await serve(hub, machine.identity, ['runs', 'exec', 'file.*'])
  const [row] = await until('it asks', async () => ((await waiting(hub)).length > 0 ? await waiting(hub) : undefined))
  expect(row).toMatchObject({ kind: 'upgrade', asks: ['exec'], approved: ['runs', 'file.*'] })
  expect(await approve(hub, { host: 'box' })).toMatchObject({ trust: ['runs', 'file.*', 'exec'] })
  expect(await waiting(hub)).toEqual([])
})

test('what was turned down is not asked for again, also after a restart of the hub', async () => {
  await using home = await makeHome()
  const identity = temporaryIdentity()
  {
    await using hub = await openTestHub({ home })
    const machine = await ask(hub, { identity })
    await approve(hub, { code: machine.code })
    await using _node = await serve(hub, identity, ['runs', 'procs'])
    await until('it asks', async () => ((await waiting(hub)).length > 0 ? true : undefined))
    await hub.caller.call(rejectPairing, { host: 'box' })
    expect(await waiting(hub)).toEqual([])
  }
  await using hub = await openTestHub({ home })
  await using _node = await serve(hub, identity, ['runs', 'procs'])
  await until('it has said how it is', async () => ((await hosts(hub))[0]?.info?.allows.length === 2 ? true : undefined))
  expect(await waiting(hub)).toEqual([])
  expect(await hosts(hub)).toMatchObject([{ trust: ['runs'] }])
})

test('a host that was removed stays out with its key, until a person lets it in again, as a new host', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  const { host } = await approve(hub, { code: machine.code })
  await hub.caller.call(removeHost, { host })
  for (let time = 0; time < 3; time++) {
    await expect(serve(hub, machine.identity)).rejects.toMatchObject({ code: 'node.unknown' })
  }
  const again = await ask(hub, { identity: machine.identity })
  expect(await waiting(hub)).toMatchObject([{ kind: 'new' }])
  const anew = await approve(hub, { code: again.code })
  expect(anew.host).not.toBe(host)
  expect(await hosts(hub)).toMatchObject([{ id: anew.host }])
})

test('a node that leaves is forgotten, and cannot come back by its key', async () => {
  await using hub = await openTestHub()
  const machine = await ask(hub)
  await approve(hub, { code: machine.code })
  await using _node = await serve(hub, machine.identity)
  const dial = async (identity: Identity, role: string, credential?: string) => {
    const [end, hubEnd] = memoryChannels()
    void hub.acceptTunnel(hubEnd)
    const more = credential === undefined ? {} : { credential }
    return (await dialHandshake(end, { identity, role, software: '1', timeoutMs: 10_000, ...more })).welcome
  }
  const leave = (identity: Identity) => dial(identity, 'leaver')
  await expect(leave(temporaryIdentity())).rejects.toMatchObject({ code: 'node.unknown' })
  expect(await hosts(hub)).toHaveLength(1)
  // A key that was taken back can be in anybody's hands.
  const { joining } = await hub.caller.call(replaceHostToken, { host: 'box' })
  await expect(leave(machine.identity)).rejects.toMatchObject({ code: 'node.token_replaced' })
  expect(await hosts(hub)).toHaveLength(1)
  await dial(machine.identity, 'node', joining?.token)
  expect(await leave(machine.identity)).toEqual({ left: true })
  expect(await hosts(hub)).toEqual([])
  await expect(leave(machine.identity)).rejects.toMatchObject({ code: 'node.unknown' })
  await expect(serve(hub, machine.identity)).rejects.toMatchObject({ code: 'node.unknown' })
})

test('who waits when the hub closes is told so', async () => {
  let ended: Promise<unknown>
  {
    await using hub = await openTestHub()
    ended = (await ask(hub)).ended
  }
  expect(await ended).toMatchObject({ code: 'wire.closed' })
})
