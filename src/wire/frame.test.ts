import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Frame } from './channel.ts'
import { encodeHead, frameSplitter } from './channels/length-prefixed.ts'
import { creditOf, decodeFrame, encodeCredit, encodeFrame, encodeItem, encodeZeros, frameType, sentBy, zerosOf } from './frame.ts'
import { createNumbering } from './numbering.ts'

const types = fc.constantFrom(...Object.values(frameType))
const sides = fc.constantFrom(...Object.values(sentBy))
const ids = fc.integer({ min: 0, max: 0xffff_ffff })
const payloads = fc.uint8Array({ maxLength: 300 })

test('a stream frame comes back as it was', () => {
  const numbering = createNumbering()
  let sent = 0
  fc.assert(
    fc.property(types, sides, ids, payloads, (type, from, id, payload) => {
      const frame = decodeFrame(numbering.stamp(encodeFrame(type, from, id, payload)))
      expect({ ...frame, payload: [...frame.payload] }).toEqual({ number: sent++, type, from, id, payload: [...payload] })
    }),
  )
})

test('an item and a credit come back as they were', () => {
  fc.assert(
    fc.property(ids, fc.json(), ids, (id, json, granted) => {
      expect(decodeFrame(encodeItem(sentBy.callee, id, json)).payload.toString('utf8')).toBe(json)
      expect(creditOf(decodeFrame(encodeCredit(sentBy.caller, id, granted)))).toBe(granted)
    }),
  )
})

test('any bytes are a frame or wire.protocol, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const [type, from] = bytes.subarray(4) as unknown as [number, number]
      const valid = bytes.length >= 10 && type >= 1 && type <= 6 && from <= 1
      if (valid) expect(decodeFrame(bytes).id).toBe(Buffer.from(bytes).readUInt32BE(6))
      else expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
    }),
    { numRuns: 2_000 },
  )
})

test('a credit of another length than four bytes is refused', () => {
  const short = decodeFrame(encodeFrame(frameType.credit, sentBy.caller, 1, Buffer.alloc(3)))
  expect(() => creditOf(short)).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
})

test('zeros come back as so many zeros, and a frame of more than a piece of them is refused', () => {
  for (const count of [1, 4096, 65_536])
    expect(zerosOf(decodeFrame(encodeZeros(sentBy.callee, 1, count)))).toEqual(Buffer.alloc(count))
  for (const count of [0, 65_537, 0xffff_ffff])
    expect(() => zerosOf(decodeFrame(encodeZeros(sentBy.callee, 1, count)))).toThrow(
      expect.objectContaining({ code: 'wire.protocol' }),
    )
})

const frames = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }).map((text): Frame => ({ kind: 'text', text })),
    fc.uint8Array({ maxLength: 60 }).map((bytes): Frame => ({ kind: 'binary', bytes: Buffer.from(bytes) })),
  ),
  { maxLength: 12 },
)

function encodeAll(list: readonly Frame[]): Buffer {
  return Buffer.concat(
    list.flatMap((frame) => {
      const payload = frame.kind === 'text' ? Buffer.from(frame.text) : frame.bytes
      return [encodeHead(frame.kind, payload.length), payload]
    }),
  )
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((start, at) => bytes.subarray(start, places[at] ?? bytes.length))
}

function readable(frame: Frame): unknown {
  return frame.kind === 'text' ? frame.text : [...frame.bytes]
}

test('frames on a byte stream come back whole, wherever it is cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat()), (sent, cuts) => {
      const got: unknown[] = []
      const split = frameSplitter(1024, (frame) => got.push(readable(frame)))
      for (const piece of cutAt(encodeAll(sent), cuts)) split(piece)
      expect(got).toEqual(sent.map(readable))
    }),
  )
})

test('a stream that ends in the middle of a frame delivers the frames before it', () => {
  fc.assert(
    fc.property(frames, fc.nat(), (sent, cut) => {
      const bytes = encodeAll(sent)
      const kept = bytes.subarray(0, cut % (bytes.length + 1))
      const got: unknown[] = []
      frameSplitter(1024, (frame) => got.push(readable(frame)))(kept)
      let whole = 0
      while (whole < sent.length && encodeAll(sent.slice(0, whole + 1)).length <= kept.length) whole++
      expect(got).toEqual(sent.slice(0, whole).map(readable))
    }),
  )
})

test('garbage on a byte stream is frames or a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        frameSplitter(64, () => {})(Buffer.from(bytes))
      } catch (error) {
        expect(['wire.protocol', 'wire.too_large']).toContain((error as { code: string }).code)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a frame over the maximum is refused at its length, before its payload', () => {
  const split = frameSplitter(1024, () => {})
  expect(() => split(encodeHead('binary', 1025))).toThrow(expect.objectContaining({ code: 'wire.too_large' }))
})
