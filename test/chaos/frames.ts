// Frames that no honest side would send: valid ones with something changed, and noise. Drawn from a seeded random, so that a failure
// can be had again.

import type { Frame } from '../../src/wire/channel.ts'
import { encodeCredit, encodeFrame, encodeItem, encodeZeros, frameType, sentBy } from '../../src/wire/frame.ts'
import type { Numbering } from '../../src/wire/numbering.ts'
import { blob, drink, echo, hoard, mirror, number, numbers, wait } from './hostile.ts'

export interface Mischief {
  readonly frame: Frame
  /** What a byte stream carries instead, where that can say what a frame cannot. */
  readonly bytes?: Buffer
  /** There is nothing that it could be taken for: the connection must end. */
  readonly mustEnd: boolean
}

type Random = () => number

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
const below = (random: Random, most: number) => Math.floor(random() * most)

/** `rough`: how often it is not even a frame that an honest side could send at another time. */
export function mischief(random: Random, numbering: Numbering, rough: number): Mischief {
  if (random() >= rough) return random() < 0.5 ? text(numbering, message(random)) : binary(random, numbering, false)
  const luck = random()
  if (luck < 0.3) return binary(random, numbering, false)
  if (luck < 0.45) return binary(random, numbering, true)
  if (luck < 0.7) return text(numbering, message(random))
  if (luck < 0.92) return text(numbering, JSON.stringify(changed(random, JSON.parse(message(random)))))
  if (luck < 0.96) return spoiltText(random, numbering)
  if (luck < 0.99) return wrongNumber(random)
  return noise(random, numbering)
}

function text(numbering: Numbering, json: string): Mischief {
  // A change may have made it something else than an object.
  if (!json.startsWith('{') || json === '{}') return { frame: { kind: 'text', text: json }, mustEnd: true }
  return { frame: { kind: 'text', text: numbering.stamp(json) }, mustEnd: false }
}

const ids = [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 4294967295]
const operations = [echo, mirror, wait, number, numbers, blob, hoard, drink]

/** A message that is allowed, of any kind. */
function message(random: Random): string {
  const id = pick(random, ids)
  return JSON.stringify({ jsonrpc: '2.0', ...pick(random, messages)(id, random) })
}

const error = { code: 'run.unknown', message: 'm', hint: 'h', retryable: false }
const messages: readonly ((id: number, random: Random) => object)[] = [
  requestOf,
  requestOf,
  requestOf,
  (id) => ({ id, result: 1 }),
  (id) => ({ id, result: null }),
  (id) => ({ id, error: { code: -32000, message: 'no', data: error } }),
  (id) => ({ method: '$/cancel', params: { id } }),
  (id) => ({ method: '$/progress', params: { id, value: { done: 1 } } }),
  () => ({ method: '$/ping' }),
  () => ({ method: '$/pong' }),
  () => ({ method: '$/later', params: { x: 1 } }),
  (_, random) =>
    random() < 0.05 ? { method: '$/close', params: { reason: { ...error, code: 'node.unknown' } } } : { method: '$/ping' },
]

function requestOf(id: number, random: Random): object {
  const input = pick<object>(random, [{}, { text: 'x' }, { value: [1, { a: 2 }] }])
  // Ids of its own, so that few are in flight already.
  return { id: random() < 0.2 ? id : 10 + below(random, 1_000_000), method: pick(random, operations).name, params: { input } }
}

const oddities: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  2 ** 53,
  4294967296,
  -0,
  1e308,
  '',
  '1',
  'x'.repeat(1000),
  '\u0000\ud800',
  [],
  {},
  [[]],
  true,
  '$/close',
  '__proto__',
  JSON.parse('{"__proto__":{"frame":0,"id":1,"method":"test.echo"}}'),
  JSON.parse('{"constructor":{"prototype":{"id":1}},"toString":1,"toJSON":1,"then":1}'),
]

/** One value somewhere in it is another, is gone, or is there under another name. */
function changed(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random() < 0.15) return pick(random, oddities)
  const keys = Object.keys(value)
  if (keys.length === 0) return pick(random, oddities)
  const key = pick(random, keys)
  const object = value as Record<string, unknown>
  const luck = random()
  if (luck < 0.15) return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))
  if (luck < 0.3)
    return { ...object, [pick(random, ['__proto__', 'error', 'result', 'method', 'frame', 'x'])]: pick(random, oddities) }
  return { ...object, [key]: changed(random, object[key]) }
}

/** JSON that is cut, has something in it that JSON has not, or is not UTF-8. */
function spoiltText(random: Random, numbering: Numbering): Mischief {
  const whole = numbering.stamp(message(random))
  const at = below(random, whole.length)
  const spoilt = pick(random, [
    whole.slice(0, at),
    `${whole.slice(0, at)}\u0000${whole.slice(at)}`,
    `${whole},`,
    `[${whole}]`,
    whole.replace('2.0', '2.00'),
    whole.replace(/"id":\d+/, '"id":1e999').replace('"jsonrpc"', '"jsonrpb"'),
  ])
  const bytes = Buffer.from(spoilt)
  if (bytes.length > 0 && random() < 0.3) bytes[below(random, bytes.length)] = 0xff
  return { frame: { kind: 'text', text: spoilt }, bytes, mustEnd: true }
}

function wrongNumber(random: Random): Mischief {
  const number = pick<unknown>(random, [undefined, null, -1, 0.5, '0', 2 ** 32, 77_777, {}, true])
  return { frame: { kind: 'text', text: JSON.stringify({ frame: number, jsonrpc: '2.0', method: '$/ping' }) }, mustEnd: true }
}

function binary(random: Random, numbering: Numbering, spoil: boolean): Mischief {
  const frame = streamFrame(random)
  if (spoil) {
    const luck = random()
    // Not its number, which is written over it.
    if (luck < 0.4) frame[4 + below(random, frame.length - 4)] = below(random, 256)
    else if (luck < 0.5) return { frame: { kind: 'binary', bytes: frame.subarray(0, below(random, 10)) }, mustEnd: true }
    else if (luck < 0.55) return { frame: { kind: 'binary', bytes: stampedWith(0x4000_0000, frame) }, mustEnd: true }
    else return { frame: { kind: 'binary', bytes: numbering.stamp(frame.subarray(0, 10)) }, mustEnd: false }
  }
  return { frame: { kind: 'binary', bytes: numbering.stamp(frame) }, mustEnd: false }
}

function stampedWith(number: number, frame: Buffer): Buffer {
  frame.writeUInt32BE(number, 0)
  return frame
}

function streamFrame(random: Random): Buffer {
  const id = random() < 0.5 ? pick(random, ids) : 10 + below(random, 1_000_000)
  const from = pick(random, [sentBy.caller, sentBy.callee])
  const luck = random()
  if (luck < 0.35) return encodeFrame(frameType.data, from, id, Buffer.alloc(1 + below(random, 300), 7))
  if (luck < 0.6) return encodeItem(from, id, pick(random, ['1', '"x"', '{"n":1}', '{', '[1,2', 'null', '1e999', '\u00e9']))
  if (luck < 0.7) return encodeFrame(frameType.end, from, id)
  if (luck < 0.75) return encodeFrame(frameType.reset, from, id, Buffer.from(JSON.stringify(error)))
  if (luck < 0.8) return encodeFrame(frameType.item, from, id, Buffer.from([0xc3, 0x28, 0xff]))
  if (luck < 0.83) return encodeZeros(from, id, pick(random, [0, 1, 65_536, 4294967295]))
  return encodeCredit(from, id, pick(random, [0, 1, 128, 400, 65_536, 4294967295]))
}

/** Anything at all; seldom, since it is large: very deep, or larger than is allowed. */
function noise(random: Random, numbering: Numbering): Mischief {
  const luck = random()
  if (luck < 0.02) {
    const depth = 1000 + below(random, 100_000)
    const value = '['.repeat(depth) + ']'.repeat(depth)
    const name = pick(random, [mirror, echo]).name
    const params = random() < 0.5 ? `{"input":{"value":${value}}}` : `{"input":${value}}`
    const json = pick(random, [
      `{"jsonrpc":"2.0","id":${20 + below(random, 1000)},"method":"${name}","params":${params}}`,
      `{"jsonrpc":"2.0","id":1,"result":${value}}`,
      `{"jsonrpc":"2.0","method":"$/progress","params":{"id":1,"value":${value}}}`,
    ])
    return { frame: { kind: 'text', text: numbering.stamp(json) }, mustEnd: false }
  }
  if (luck < 0.03) return { frame: { kind: 'text', text: `{"x":"${'y'.repeat(1024 * 1024)}"}` }, mustEnd: true }
  const bytes = Buffer.from(Array.from({ length: below(random, 40) }, () => below(random, 256)))
  if (luck < 0.5) return { frame: { kind: 'text', text: bytes.toString('latin1') }, mustEnd: true }
  return { frame: { kind: 'binary', bytes: stampedIfLong(bytes) }, mustEnd: true }
}

/** With a number that cannot be the next. */
function stampedIfLong(bytes: Buffer): Buffer {
  return bytes.length < 4 ? bytes : stampedWith(0x4000_0001, bytes)
}
