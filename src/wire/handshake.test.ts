import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { failure, type MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { type AcceptSide, acceptHandshake, type Dialer, type DialSide, dialHandshake } from './handshake.ts'
import { agreeVersion, proofBytes } from './hello.ts'
import { identityOf, temporaryIdentity, verify } from './identity.ts'
import { channelKinds, openPair } from './pairs.fixture.ts'

const hub = temporaryIdentity()
const node = temporaryIdentity()
const principal: Principal = { kind: 'node', id: 'host_1', role: 'node', scopes: new Set() }

function dialSide(more: Partial<DialSide> = {}): DialSide {
  return { identity: node, role: 'node', software: '0.1.0', timeoutMs: 2_000, ...more }
}

function acceptSide(more: Partial<AcceptSide> = {}): AcceptSide {
  const admit = async () => ({ welcome: { host: { id: 'host_1', name: 'box' } }, principal })
  return { identity: hub, role: 'hub', software: '0.1.0', timeoutMs: 2_000, admit, ...more }
}

async function shake(channels: readonly [Channel, Channel], dial: Partial<DialSide> = {}, accept: Partial<AcceptSide> = {}) {
  const outcome = <T>(work: Promise<T>) =>
    work.then(
      (value) => ({ value }),
      (error: MusterError) => ({ error }),
    )
  const [dialled, accepted] = await Promise.all([
    outcome(dialHandshake(channels[0], dialSide(dial))),
    outcome(acceptHandshake(channels[1], acceptSide(accept))),
  ])
  return { dialled, accepted }
}

/** Passes frames between two pairs, each changed by `change`; what a relay between the two sides could do. */
function relayed(change: (text: string, from: 'dialer' | 'acceptor') => string): [Channel, Channel] {
  const [dialer, near] = memoryChannels()
  const [far, acceptor] = memoryChannels()
  const pass = (to: Channel, from: 'dialer' | 'acceptor') => (frame: Frame) => {
    to.send(frame.kind === 'text' ? { kind: 'text', text: change(frame.text, from) } : frame)
  }
  near.receive(pass(far, 'dialer'))
  far.receive(pass(near, 'acceptor'))
  void near.closed.then((reason) => far.close(reason))
  void far.closed.then((reason) => near.close(reason))
  return [dialer, acceptor]
}

test.each(channelKinds)('over %s, both sides learn who the other is and what was agreed', async (kind) => {
  await using pair = await openPair(kind)
  const seen: Dialer[] = []
  const admit = async (dialer: Dialer) => {
    seen.push(dialer)
    return { welcome: { host: 'box' }, principal }
  }
  const { dialled, accepted } = await shake(
    [pair.left, pair.right],
    { credential: 'secret', limits: { maxFrame: 128 * 1024 } },
    { admit, limits: { window: 100_000 } },
  )
  expect(seen).toEqual([{ key: node.publicKey, role: 'node', software: '0.1.0', credential: 'secret' }])
  expect(dialled).toMatchObject({
    value: { peerKey: hub.publicKey, protocol: 1, welcome: { host: 'box' }, limits: { maxFrame: 131_072, window: 100_000 } },
  })
  expect(accepted).toMatchObject({
    value: { peerKey: node.publicKey, principal, limits: { maxFrame: 131_072, window: 100_000 } },
  })
})

test('what is sent right after the welcome is kept for the peer', async () => {
  const [left, right] = memoryChannels()
  const accepting = acceptHandshake(right, acceptSide()).then(() => right.send({ kind: 'text', text: 'first' }))
  await dialHandshake(left, dialSide())
  await accepting
  const got: Frame[] = []
  await eventually(() => {
    left.receive((frame) => got.push(frame))
    expect(got).toEqual([{ kind: 'text', text: 'first' }])
  })
})

test('the credential is not sent to a hub of another key', async () => {
  const sent: string[] = []
  const channels = relayed((text, from) => {
    if (from === 'dialer') sent.push(text)
    return text
  })
  const expectKey = () => {
    throw failure('enroll.hub_key', { expected: 'a', actual: 'b' })
  }
  const { dialled, accepted } = await shake(channels, { credential: 'top secret', expectKey })
  expect(dialled).toMatchObject({ error: { code: 'enroll.hub_key' } })
  expect(accepted).toMatchObject({ error: { code: 'enroll.hub_key' } })
  expect(sent.join()).not.toContain('top secret')
})

test('the credential is not sent to a hub that cannot prove its key', async () => {
  const sent: string[] = []
  const channels = relayed((text, from) => {
    if (from === 'dialer') sent.push(text)
    return from === 'acceptor' ? text.replace(/"signature":"..../, '"signature":"AAAA') : text
  })
  const { dialled } = await shake(channels, { credential: 'top secret' })
  expect(dialled).toMatchObject({ error: { code: 'wire.proof' } })
  expect(sent.join()).not.toContain('top secret')
})

test.each(['dialer', 'acceptor'] as const)('a hello of the %s that was changed on the way is noticed', async (side) => {
  const channels = relayed((text, from) => (from === side ? text.replace('0.1.0', '6.6.6') : text))
  const { dialled, accepted } = await shake(channels)
  expect(dialled).toMatchObject({ error: { code: 'wire.proof' } })
  expect(accepted).toMatchObject({ error: { code: 'wire.proof' } })
})

test('a dialer that cannot prove the key it named is refused and told', async () => {
  const impostor = { ...temporaryIdentity(), publicKey: node.publicKey }
  const admit = vi.fn()
  const { dialled, accepted } = await shake(memoryChannels(), { identity: impostor }, { admit })
  expect(dialled).toMatchObject({ error: { code: 'wire.proof' } })
  expect(accepted).toMatchObject({ error: { code: 'wire.proof' } })
  expect(admit).not.toHaveBeenCalled()
})

test('a proof of an earlier conversation is worth nothing', async () => {
  let earlier = ''
  await shake(
    relayed((text, from) => {
      if (from === 'dialer' && text.includes('$/prove')) earlier = text
      return text
    }),
  )
  const replayed = relayed((text, from) => (from === 'dialer' && text.includes('$/prove') ? earlier : text))
  const { accepted } = await shake(replayed)
  expect(earlier).toContain('signature')
  expect(accepted).toMatchObject({ error: { code: 'wire.proof' } })
})

test("the acceptor's own proof cannot be sent back to it", async () => {
  const [left, right] = memoryChannels()
  const accepting = acceptHandshake(right, acceptSide()).catch((error: unknown) => error)
  const hello = JSON.stringify({
    protocol: { min: 1, max: 1 },
    software: 'x',
    role: 'node',
    key: hub.publicKey,
    nonce: 'A'.repeat(43),
    limits: { maxFrame: 1 << 20, window: 1 << 19 },
  })
  left.receive((frame) => {
    const { result } = JSON.parse((frame as { text: string }).text) as { result?: { signature: string } }
    if (result)
      left.send({
        kind: 'text',
        text: JSON.stringify({ jsonrpc: '2.0', id: 2, method: '$/prove', params: { signature: result.signature } }),
      })
  })
  left.send({ kind: 'text', text: JSON.stringify({ jsonrpc: '2.0', id: 1, method: '$/hello', params: { hello } }) })
  expect(await accepting).toMatchObject({ code: 'wire.proof' })
})

test('sides without a common version part with wire.version on both', async () => {
  const channels = relayed((text, from) =>
    from === 'dialer' ? text.replace('\\"min\\":1,\\"max\\":1', '\\"min\\":2,\\"max\\":3') : text,
  )
  const { dialled, accepted } = await shake(channels)
  expect(dialled).toMatchObject({ error: { code: 'wire.version' } })
  expect(accepted).toMatchObject({ error: { code: 'wire.version', message: expect.stringContaining('2 to 3') as string } })
})

test('the highest common version is taken', () => {
  expect(agreeVersion('hub', { min: 2, max: 5 }, { min: 1, max: 3 })).toBe(3)
  expect(() => agreeVersion('hub', { min: 4, max: 5 }, { min: 1, max: 3 })).toThrow(
    expect.objectContaining({
      code: 'wire.version',
      message: 'No common protocol version: the hub speaks 1 to 3, its other side 4 to 5.',
      hint: expect.stringContaining('The older is the hub') as string,
    }),
  )
})

test('a refusal of the hub reaches the node as it is', async () => {
  const { dialled, accepted } = await shake(
    memoryChannels(),
    {},
    {
      admit: async () => {
        throw failure('node.unknown')
      },
    },
  )
  expect(dialled).toMatchObject({ error: { code: 'node.unknown' } })
  expect(accepted).toMatchObject({ error: { code: 'node.unknown' } })
})

test('a refusal by somebody who has proven nothing is a broken connection, no more', async () => {
  const [left, right] = memoryChannels()
  right.receive(() =>
    right.send({
      kind: 'text',
      text: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        error: { code: -32000, message: 'no', data: failure('node.unknown').toValue() },
      }),
    }),
  )
  await expect(dialHandshake(left, dialSide())).rejects.toMatchObject({ code: 'wire.closed' })
})

test.each([
  ['text that is no JSON', { kind: 'text', text: 'hello?' }],
  ['a binary frame', { kind: 'binary', bytes: Buffer.from([1, 0, 0, 0, 0, 1]) }],
  ['another request', { kind: 'text', text: '{"jsonrpc":"2.0","id":1,"method":"run.start","params":{}}' }],
  ['a hello that is none', { kind: 'text', text: '{"jsonrpc":"2.0","id":1,"method":"$/hello","params":{"hello":"{}"}}' }],
] as [string, Frame][])('%s instead of a hello closes the channel with wire.protocol', async (_, frame) => {
  const [left, right] = memoryChannels()
  left.send(frame)
  await expect(acceptHandshake(right, acceptSide())).rejects.toMatchObject({ code: 'wire.protocol' })
  expect(await left.closed).toMatchObject({ code: 'wire.protocol' })
})

test('one who says nothing is let go at the deadline', async () => {
  const [left, right] = memoryChannels()
  await expect(acceptHandshake(right, acceptSide({ timeoutMs: 20 }))).rejects.toMatchObject({ code: 'call.deadline' })
  expect(await left.closed).toMatchObject({ code: 'call.deadline' })
})

test('the worked example of docs/protocol.md is what this code signs', () => {
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  const { seed, key, dialerHello, acceptorHello, signed, signature } = exampleOf(page)
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')])
  const identity = identityOf(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
  const bytes = proofBytes('acceptor', dialerHello, acceptorHello)
  expect(identity.publicKey).toBe(key)
  expect(bytes.toString('hex')).toBe(signed)
  expect(Buffer.from(identity.sign(bytes)).toString('base64url')).toBe(signature)
  expect(verify(key, bytes, Buffer.from(signature, 'base64url'))).toBe(true)
})

function exampleOf(page: string) {
  const field = (name: string) => {
    const found = new RegExp(`^${name}: (.+)$`, 'm').exec(page)?.[1]
    if (found === undefined) throw new Error(`docs/protocol.md has no "${name}: "`)
    return found
  }
  return {
    seed: field('acceptor seed'),
    key: field('acceptor key'),
    dialerHello: field('dialer hello'),
    acceptorHello: field('acceptor hello'),
    signed: field('signed bytes'),
    signature: field('signature'),
  }
}
