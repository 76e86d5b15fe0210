import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { costOf, receiveCredit, sendCredit } from './credit.ts'
import { decodeFrame, encodeFrame, frameType, sentBy } from './frame.ts'
import { createInflow } from './inflow.ts'
import { defaultLimits } from './limits.ts'
import type { Outbox } from './outbox.ts'
import { createOutflow } from './outflow.ts'

const window = 2048

/** An outflow joined to an inflow through queues, so that a test sees every frame. `check` is told what is unread before and with each. */
function joined(kind: 'items' | 'bytes', check: (before: number, after: number) => void) {
  let unread = 0
  const outbox: Outbox = {
    send(frame) {
      deliver(frame as Buffer)
    },
    post(_, produce) {
      const frame = produce()
      if (frame) deliver(frame as Buffer)
      return undefined
    },
    overfull: false,
    takenBytes: 0,
    bufferedBytes: 0,
    end() {},
  }
  const outflow = createOutflow({ kind, id: 1, from: sentBy.callee, limits: { ...defaultLimits, window }, outbox })
  const inflow = createInflow<Buffer | string>({
    window,
    decode: (piece) => piece,
    grant(bytes) {
      unread -= bytes
      const frame = decodeFrame(encodeFrame(frameType.credit, sentBy.caller, 1, u32(bytes)))
      setImmediate(() => outflow.grant(frame))
    },
    onLeft: () => outflow.stop(),
  })
  function deliver(bytes: Buffer): void {
    const frame = decodeFrame(bytes)
    if (frame.type === frameType.end) return inflow.finish()
    const before = unread
    unread += costOf(frame.payload.length)
    check(before, unread)
    inflow.push(frame)
  }
  return { outflow, inflow }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

async function pauses(turns: number): Promise<void> {
  for (let n = 0; n < turns; n++) await turn()
}

const speeds = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 })

test('bytes of any sizes and speeds arrive all, in order, and never beyond the window', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 3 * window }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(sizes, speeds, speeds, async (sizes, writing, reading) => {
      const { outflow, inflow } = joined('bytes', (_, after) => expect(after).toBeLessThanOrEqual(window))
      const pieces = sizes.map((size, at) => Buffer.alloc(size, at + 1))
      const sent = outflow.run(
        (async function* () {
          for (const [at, piece] of pieces.entries()) {
            await pauses(writing[at % writing.length] as number)
            yield piece
          }
        })(),
      )
      const got: Buffer[] = []
      for (let at = 0; ; at++) {
        const next = await inflow.reader.next()
        if (next.done) break
        got.push(next.value as Buffer)
        await pauses(reading[at % reading.length] as number)
      }
      await sent
      expect(Buffer.concat(got).equals(Buffer.concat(pieces))).toBe(true)
    }),
    { numRuns: 150 },
  )
})

test('items of any sizes arrive all, in order, with at most one item beyond the window', async () => {
  const items = fc.array(fc.string({ maxLength: 3000 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(items, speeds, async (items, reading) => {
      const { outflow, inflow } = joined('items', (before) => expect(before).toBeLessThan(window))
      const sent = outflow.run(
        (async function* () {
          yield* items
        })(),
      )
      const got: unknown[] = []
      for (let at = 0; ; at++) {
        const next = await inflow.reader.next()
        if (next.done) break
        got.push(JSON.parse(next.value as string))
        await pauses(reading[at % reading.length] as number)
      }
      await sent
      expect(got).toEqual(items)
    }),
    { numRuns: 150 },
  )
})

test('a stream that nobody reads stops at its window', async () => {
  let most = 0
  const { outflow } = joined('bytes', (_, after) => {
    most = after
  })
  const endless = async function* () {
    for (;;) yield Buffer.alloc(100)
  }
  const running = outflow.run(endless())
  await pauses(20)
  expect(most).toBeGreaterThan(window / 2)
  expect(most).toBeLessThanOrEqual(window)
  outflow.stop()
  await running
})

test('sending without credit is caught', () => {
  const credit = receiveCredit(window)
  credit.receive(window, 'data')
  expect(() => credit.receive(1, 'data')).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
  expect(() => credit.receive(1, 'item')).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
})

test('granting what was never spent is caught', () => {
  const credit = sendCredit(window)
  credit.spend(100)
  expect(() => credit.grant(101)).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
})

test('both ends agree on what is left, whatever is sent and read', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 })), (sizes) => {
      const sender = sendCredit(window)
      const receiver = receiveCredit(window)
      const unread: number[] = []
      for (const size of sizes) {
        const cost = costOf(size)
        while (sender.left < cost) {
          const granted = receiver.take(unread.shift() as number)
          if (granted > 0) sender.grant(granted)
        }
        sender.spend(cost)
        receiver.receive(cost, 'data')
        unread.push(cost)
        expect(sender.left + receiver.unread).toBe(window)
      }
    }),
  )
})
