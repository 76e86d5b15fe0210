import { expect, test } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { failure, type MusterError } from '../contract/errors.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { temporaryIdentity } from './identity.ts'
import { codeOf, commitmentTo, makeOpening } from './opening.ts'
import { type Asking, acceptPairing, dialPairing, type HubSide, type NodeSide, type Place } from './pairing.ts'
import { channelKinds, openPair } from './pairs.fixture.ts'

const hub = temporaryIdentity()
const node = temporaryIdentity()
const wishes = { name: 'box', platform: 'linux', arch: 'x64', asks: ['runs'] }
const welcome = { host: { id: 'host_1', name: 'box' } }
const over = failure('wire.closed', { reason: 'the test is over' })

interface Shown {
  code?: string
}

function nodeSide(shown: Shown, more: Partial<NodeSide> = {}): NodeSide {
  const onCode = ({ code }: { code: string }) => {
    shown.code = code
  }
  return { identity: node, software: '1', timeoutMs: 5_000, wishes, onCode, ...more }
}

/** A hub whose operator approves at once, or never, and what it has seen. */
function hubSide(approve = true, more: Partial<HubSide> = {}) {
  const seen: Asking[] = []
  let left = 0
  const enter = (asking: Asking): Place => {
    seen.push(asking)
    const decided = approve ? Promise.resolve(welcome) : new Promise<never>(() => {})
    return { expiresInMs: 60_000, decided, leave: () => void left++ }
  }
  const side: HubSide = { identity: hub, software: '1', timeoutMs: 5_000, enter, ...more }
  return {
    side,
    seen,
    get left() {
      return left
    },
  }
}

const outcome = <T>(work: Promise<T>) => work.catch((error: MusterError) => error)

test.each(channelKinds)("over %s, both sides come to the same six digits, and to each other's keys", async (kind) => {
  await using pair = await openPair(kind)
  const shown: Shown = {}
  const there = hubSide()
  const [joined] = await Promise.all([dialPairing(pair.left, nodeSide(shown)), acceptPairing(pair.right, there.side)])
  expect(joined).toEqual({ hubKey: hub.publicKey, welcome })
  expect(there.seen).toEqual([{ ...wishes, key: node.publicKey, software: '1', code: shown.code }])
  expect(shown.code).toMatch(/^\d{6}$/)
  expect(there.left).toBe(1)
})

test('a refusal by the person reaches the machine as it is', async () => {
  const [left, right] = memoryChannels()
  const decided = Promise.reject(failure('pairing.rejected'))
  const enter = (): Place => ({ expiresInMs: 1_000, decided, leave: () => {} })
  const accepted = outcome(acceptPairing(right, hubSide(true, { enter }).side))
  await expect(dialPairing(left, nodeSide({}))).rejects.toMatchObject({ code: 'pairing.rejected' })
  expect(await accepted).toMatchObject({ code: 'pairing.rejected' })
})

/** Stands between and pairs with each of the two as if it were the other, with a key of its own for each. */
async function relay(): Promise<{ box: string; hub: string }> {
  const channels = [...memoryChannels(), ...memoryChannels()] as const
  const [box, boxEnd, hubEnd, hubChannel] = channels
  const shown = Promise.withResolvers<string>()
  const waits = Promise.withResolvers<string>()
  const decided = new Promise<never>(() => {})
  const enter = ({ code }: Asking): Place => {
    waits.resolve(code)
    return { expiresInMs: 60_000, decided, leave: () => {} }
  }
  const parts = [
    outcome(dialPairing(box, nodeSide({}, { onCode: ({ code }) => shown.resolve(code) }))),
    outcome(acceptPairing(boxEnd, hubSide(false, { identity: temporaryIdentity() }).side)),
    outcome(dialPairing(hubEnd, nodeSide({}, { identity: temporaryIdentity() }))),
    outcome(acceptPairing(hubChannel, hubSide(false, { enter }).side)),
  ]
  const codes = { box: await shown.promise, hub: await waits.promise }
  for (const channel of channels) channel.close(over)
  await Promise.all(parts)
  return codes
}

test('a relay that pairs with both sides shows them different codes', async () => {
  const trials = 200
  let equal = 0
  for (let trial = 0; trial < trials; trial++) {
    const codes = await relay()
    if (codes.box === codes.hub) equal++
  }
  console.log(`relay: ${equal} of ${trials} attempts came to equal codes (expected ${trials / 1e6})`)
  expect(equal).toBeLessThanOrEqual(1)
}, 240_000)

test('two conversations come to the same code once in a million', () => {
  const node1 = makeOpening({ role: 'node', key: node.publicKey, software: '1', ...wishes })
  const hub1 = makeOpening({ role: 'hub', key: hub.publicKey, software: '1' })
  const trials = 50_000
  const given = codeOf({ node: node1, hub: hub1 })
  let equal = 0
  for (let trial = 0; trial < trials; trial++) if (codeOf({ node: `${node1}${trial}`, hub: hub1 }) === given) equal++
  console.log(`codes: ${equal} of ${trials} equal to a given one (expected ${trials / 1e6})`)
  // Four of them come by chance once in some four million runs.
  expect(equal).toBeLessThanOrEqual(3)
})

test('a relay that passes everything on unchanged has paired the two with each other, and with nobody else', async () => {
  const shown: Shown = {}
  const there = hubSide()
  const [box, boxEnd] = memoryChannels()
  const [hubEnd, hubChannel] = memoryChannels()
  boxEnd.receive((frame) => hubEnd.send(frame))
  hubEnd.receive((frame) => boxEnd.send(frame))
  const [joined] = await Promise.all([dialPairing(box, nodeSide(shown)), acceptPairing(hubChannel, there.side)])
  expect(joined.hubKey).toBe(hub.publicKey)
  expect(there.seen[0]).toMatchObject({ key: node.publicKey, code: shown.code })
})

/** Passes frames between two, each changed by `change`. */
function relayed(change: (text: string, from: 'node' | 'hub') => string): [Channel, Channel] {
  const [box, near] = memoryChannels()
  const [far, hubChannel] = memoryChannels()
  const pass = (to: Channel, from: 'node' | 'hub') => (frame: Frame) =>
    to.send(frame.kind === 'text' ? { kind: 'text', text: change(frame.text, from) } : frame)
  near.receive(pass(far, 'node'))
  far.receive(pass(near, 'hub'))
  void near.closed.then((reason) => far.close(reason))
  void far.closed.then((reason) => near.close(reason))
  return [box, hubChannel]
}

async function meet([left, right]: readonly [Channel, Channel]) {
  const shown: Shown = {}
  const there = hubSide()
  const [dialled, accepted] = await Promise.all([
    outcome(dialPairing(left, nodeSide(shown))),
    outcome(acceptPairing(right, there.side)),
  ])
  return { dialled, accepted, shown, seen: there.seen }
}

const spoilCommitment = (text: string) => text.replace(/"commitment":"...../, '"commitment":"AAAAA')
const spoilSignature = (text: string) => text.replace(/"signature":"...../, '"signature":"AAAAA')

test.each([
  ['shows something else than it has committed itself to', (text: string) => text.replace('\\"box\\"', '\\"bax\\"')],
  ['commits itself to something else than it shows', spoilCommitment],
  ['cannot sign for the key that it shows', spoilSignature],
])('a machine that %s gets no place and no code', async (_, spoil) => {
  const { dialled, accepted, shown, seen } = await meet(relayed((text, from) => (from === 'node' ? spoil(text) : text)))
  expect(accepted).toMatchObject({ code: 'wire.proof' })
  expect(dialled).toMatchObject({ code: 'wire.proof' })
  expect(seen).toEqual([])
  expect(shown.code).toBeUndefined()
})

test.each([
  ['shows something else than it has committed itself to', (text: string) => text.replace('\\"hub\\"', '\\"hob\\"')],
  ['commits itself to something else than it shows', spoilCommitment],
  ['cannot sign for the key that it shows', spoilSignature],
])('of a hub that %s no code is shown', async (_, spoil) => {
  const { dialled, shown } = await meet(relayed((text, from) => (from === 'hub' ? spoil(text) : text)))
  expect(dialled).toMatchObject({ code: 'wire.proof' })
  expect(shown.code).toBeUndefined()
})

test('what was shown in an earlier conversation is worth nothing in another', async () => {
  let earlier = ''
  await meet(
    relayed((text, from) => {
      if (from === 'node' && text.includes('$/reveal')) earlier = text
      return text
    }),
  )
  const replay = relayed((text, from) => (from === 'node' && text.includes('$/reveal') ? earlier : text))
  const { accepted, seen } = await meet(replay)
  expect(earlier).toContain('signature')
  expect(accepted).toMatchObject({ code: 'wire.proof' })
  expect(seen).toEqual([])
})

test("a machine's own commitment and opening cannot be sent back to it as a hub's", async () => {
  const [box, mirror] = memoryChannels()
  const shown: Shown = {}
  mirror.receive((frame) => {
    const { id, params } = JSON.parse((frame as { text: string }).text) as { id?: number; params: object }
    if (id === undefined) return
    mirror.send({ kind: 'text', text: JSON.stringify({ jsonrpc: '2.0', id, result: { ...params, expiresInMs: 1_000 } }) })
  })
  expect(await outcome(dialPairing(box, nodeSide(shown)))).toMatchObject({ code: 'wire.proof' })
  expect(shown.code).toBeUndefined()
})

const message = (body: object): Frame => ({ kind: 'text', text: JSON.stringify({ jsonrpc: '2.0', ...body }) })
const opening = makeOpening({ role: 'node', key: node.publicKey, software: '1', ...wishes })
const commit = message({ id: 1, method: '$/pair', params: { commitment: commitmentTo('node', opening) } })
const reveal = message({ id: 2, method: '$/reveal', params: { opening, signature: 'A'.repeat(86) } })

test.each([
  ['waits before it has asked', [message({ id: 1, method: '$/wait', params: {} })]],
  ['shows its nonce before it has committed itself', [reveal]],
  ['asks twice', [commit, commit]],
  ['goes on to wait without showing anything', [commit, message({ id: 3, method: '$/wait', params: {} })]],
  ['says hello, as a node does', [message({ id: 1, method: '$/hello', params: { hello: '{}' } })]],
  ['commits itself to what is no digest', [message({ id: 1, method: '$/pair', params: { commitment: 'x' } })]],
  ['sends what is no JSON', [{ kind: 'text', text: 'let me in' }]],
  ['sends bytes', [{ kind: 'binary', bytes: Buffer.from([1, 2, 3]) }]],
] as [string, Frame[]][])('a machine that %s is refused with wire.protocol and gets no place', async (_, frames) => {
  const [left, right] = memoryChannels()
  const there = hubSide()
  for (const frame of frames) left.send(frame)
  left.receive(() => {})
  expect(await outcome(acceptPairing(right, there.side))).toMatchObject({ code: 'wire.protocol' })
  expect(there.seen).toEqual([])
})

test.each([
  ['answers the second question first', (text: string) => text.replace('"id":1', '"id":2')],
  ['answers with what is no digest', (text: string) => text.replace(/"commitment":"[^"]*"/, '"commitment":"x"')],
  ['says that it will wait for ever', (text: string) => text.replace(/"expiresInMs":\d+/, '"expiresInMs":1e12')],
])('of a hub that %s no code is shown either', async (_, spoil) => {
  const { dialled, shown } = await meet(relayed((text, from) => (from === 'hub' ? spoil(text) : text)))
  expect(dialled).toMatchObject({ code: 'wire.protocol' })
  expect(shown.code).toBeUndefined()
})

test('one that says nothing is let go, on either side', async () => {
  const [box, silent] = memoryChannels()
  expect(await outcome(acceptPairing(box, hubSide(true, { timeoutMs: 20 }).side))).toMatchObject({ code: 'call.deadline' })
  expect(await silent.closed).toMatchObject({ code: 'call.deadline' })
  const [machine] = memoryChannels()
  expect(await outcome(dialPairing(machine, nodeSide({}, { timeoutMs: 20 })))).toMatchObject({ code: 'call.deadline' })
})

test('while a person decides, pings are answered and anything else ends it', async () => {
  const shown: Shown = {}
  const there = hubSide(false)
  const got: string[] = []
  const [box, hubChannel] = relayed((text, from) => {
    if (from === 'hub') got.push(text)
    return text
  })
  const dialled = outcome(dialPairing(box, nodeSide(shown)))
  const accepted = outcome(acceptPairing(hubChannel, there.side))
  await eventually(() => expect(shown.code).toBeDefined())
  box.send(message({ method: '$/ping' }))
  await eventually(() => expect(got.at(-1)).toContain('$/pong'))
  expect(there.left).toBe(0)
  box.send(message({ id: 4, method: 'run.start', params: {} }))
  expect(await accepted).toMatchObject({ code: 'wire.protocol' })
  expect(await dialled).toMatchObject({ code: 'wire.protocol' })
  await eventually(() => expect(there.left).toBe(1))
})

test('a machine whose connection ends leaves its place', async () => {
  const shown: Shown = {}
  const there = hubSide(false)
  const [box, hubChannel] = memoryChannels()
  const both = [outcome(dialPairing(box, nodeSide(shown))), outcome(acceptPairing(hubChannel, there.side))]
  await eventually(() => expect(shown.code).toBeDefined())
  box.close(over)
  await Promise.all(both)
  await eventually(() => expect(there.left).toBe(1))
})
