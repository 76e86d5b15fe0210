import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { operation } from '../contract/operation.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { encodeZeros, sentBy } from './frame.ts'
import { createPeer, type Peer } from './peer.ts'

const shared = {
  summary: '',
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /test',
  input: z.strictObject({}),
} as const
const files = operation({ ...shared, kind: 'bytes', name: 'test.files', output: z.unknown(), bulk: true })
const output = operation({ ...shared, kind: 'bytes', name: 'test.output', output: z.unknown() })
const put = operation({ ...shared, kind: 'upload', name: 'test.put', output: z.int(), bulk: true })
const principal: Principal = { kind: 'node', id: 'x', role: 'viewer', scopes: new Set(['read']) }

const piece = 1024 * 1024
const pieces = [Buffer.from('begin'), Buffer.alloc(8 * piece), randomBytes(100), Buffer.alloc(5), Buffer.alloc(8 * piece)]
const whole = Buffer.concat(pieces)

async function* source(): AsyncGenerator<Uint8Array> {
  yield* pieces
}

async function collect(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const got: Uint8Array[] = []
  for await (const one of from) got.push(one)
  return Buffer.concat(got)
}

/** Both ends of a wire, and how many bytes of binary frames have gone over it. */
function joined(zeros: boolean): { left: Peer; right: Peer; hostile: Channel; sent: () => number } {
  const [a, b] = memoryChannels()
  let bytes = 0
  for (const channel of [a, b]) {
    const send = channel.send
    Object.assign(channel, {
      send(frame: Frame) {
        if (frame.kind === 'binary') bytes += frame.bytes.byteLength
        send(frame)
      },
    })
  }
  const got: Buffer[] = []
  const offers = implementation(
    implement(files, source),
    implement(output, source),
    implement(put, async (_input, _context, body) => {
      got.push(await collect(body))
      return got.at(-1)?.equals(whole) ? whole.length : 0
    }),
  )
  const make = (channel: Channel) => createPeer(channel, { offers, principal, limits: { zeros } })
  return { left: make(a), right: make(b), hostile: a, sent: () => bytes }
}

test.each([true, false])("a file's zeros are told and not sent, where both sides know such frames (%s)", async (zeros) => {
  const { left, right, sent } = joined(zeros)
  expect((await collect(left.bytes(files, {}))).equals(whole)).toBe(true)
  expect(await left.upload(put, {}, source())).toBe(whole.length)
  if (zeros) expect(sent()).toBeLessThan(32 * 1024)
  else expect(sent()).toBeGreaterThan(2 * whole.length)
  await Promise.all([left, right].map((one) => one[Symbol.asyncDispose]()))
})

test('what is no file is sent as it is, and zeros where none were agreed end the connection', async () => {
  const { left, sent } = joined(true)
  expect((await collect(left.bytes(output, {}))).equals(whole)).toBe(true)
  expect(sent()).toBeGreaterThan(whole.length)
  await left[Symbol.asyncDispose]()

  const plain = joined(false)
  const uploading = plain.left.upload(
    put,
    {},
    (async function* () {
      yield Buffer.from('x')
      await new Promise(() => undefined)
    })(),
  )
  const frame = encodeZeros(sentBy.caller, 1, 4096)
  frame.writeUInt32BE(1, 0)
  plain.hostile.send({ kind: 'binary', bytes: frame })
  await expect(uploading).rejects.toMatchObject({ code: 'wire.closed' })
  expect(await plain.right.closed).toMatchObject({ code: 'wire.protocol' })
})
