import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { operation } from '../contract/operation.ts'
import type { Channel, Frame } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { binaryNumberBytes, createNumbering, textNumberBytes } from './numbering.ts'
import { createPeer } from './peer.ts'

const shared = { summary: '', errors: [], scope: 'read', deferrable: false, http: 'GET /test' } as const
const start = operation({ ...shared, kind: 'call', name: 'test.start', input: z.strictObject({ n: z.int() }), output: z.int() })
const blob = operation({ ...shared, kind: 'bytes', name: 'test.blob', input: z.strictObject({}), output: z.unknown() })
const principal: Principal = { kind: 'node', id: 'x', role: 'viewer', scopes: new Set(['read']) }

test('frames are taken in the order in which they were numbered, and in no other', () => {
  const sender = createNumbering()
  const receiver = createNumbering()
  const numberOf = (frame: string | Buffer) =>
    typeof frame === 'string' ? (JSON.parse(frame) as { frame: number }).frame : frame.readUInt32BE(0)
  for (const frame of ['{"a":1}', Buffer.alloc(10), '{"b":2}', Buffer.alloc(4)]) receiver.check(numberOf(sender.stamp(frame)))
  for (const number of [3, 5, 0, '4', 4.5, null, undefined, {}]) {
    expect(() => receiver.check(number)).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
  }
  receiver.check(4)
})

test('a number takes no more room than is kept for it, and comes round', () => {
  const last = 0xffff_ffff
  const sender = createNumbering(last)
  const receiver = createNumbering(last)
  expect(sender.stamp('{"a":1}').length).toBe('{"a":1}'.length + textNumberBytes)
  receiver.check(last)
  const bytes = sender.stamp(Buffer.alloc(binaryNumberBytes, 9))
  expect(bytes.readUInt32BE(0)).toBe(0)
  receiver.check(0)
})

/** What a faulty relay does to the nth frame that passes it one way. */
const fault = fc.record({
  kind: fc.constantFrom('lose', 'repeat', 'swap', 'none'),
  from: fc.constantFrom('left', 'right'),
  at: fc.nat(60),
})
type Fault = { readonly kind: string; readonly from: string; readonly at: number }

function relayed({ kind, from, at }: Fault): { left: Channel; right: Channel; done: () => boolean; heal: () => void } {
  const [left, nearLeft] = memoryChannels()
  const [nearRight, right] = memoryChannels()
  let done = false
  let healed = false
  const pass = (to: Channel, faulty: boolean) => {
    let passed = 0
    let kept: Frame | undefined
    return (frame: Frame) => {
      const hit = faulty && !healed && passed++ === at
      if (hit && kind !== 'swap') done = kind !== 'none'
      if (hit && kind === 'lose') return
      if (hit && kind === 'swap') {
        kept = frame
        return
      }
      to.send(frame)
      if (hit && kind === 'repeat') to.send(frame)
      if (!kept) return
      to.send(kept)
      kept = undefined
      done = true
    }
  }
  nearLeft.receive(pass(nearRight, from === 'left'))
  nearRight.receive(pass(nearLeft, from === 'right'))
  void nearLeft.closed.then((reason) => nearRight.close(reason))
  void nearRight.closed.then((reason) => nearLeft.close(reason))
  return {
    left,
    right,
    done: () => done,
    heal: () => {
      healed = true
    },
  }
}

test('a frame that is lost, repeated or overtaken ends the connection at the next, and nothing is carried out twice', async () => {
  await fc.assert(
    fc.asyncProperty(fault, async (fault) => {
      const { left, right, done, heal } = relayed(fault)
      const started: number[] = []
      const sent = Buffer.alloc(3_000_000, 'abcdefg')
      const offers = implementation(
        implement(start, async ({ n }) => {
          started.push(n)
          return n
        }),
        implement(blob, async function* () {
          for (let at = 0; at < sent.length; at += 50_000) yield sent.subarray(at, at + 50_000)
        }),
      )
      const asking = createPeer(left, { offers: new Map(), principal })
      const answering = createPeer(right, { offers, principal })
      const got: Buffer[] = []
      const reading = (async () => {
        for await (const piece of asking.bytes(blob, {})) got.push(Buffer.from(piece))
      })()
      const calls = Array.from({ length: 10 }, (_, n) => asking.call(start, { n }))
      const outcomes = Promise.allSettled([reading, ...calls])
      for (let n = 0; n < 60; n++) await turn()
      heal()
      // The next frame, at the latest, tells: on an idle connection that is a ping.
      for (const peer of [asking, answering]) void peer.call(start, { n: -1 }).catch(() => {})
      for (let n = 0; n < 10; n++) await turn()
      if (done()) expect([(await asking.closed).code, (await answering.closed).code]).toContain('wire.protocol')
      await asking[Symbol.asyncDispose]()
      await answering[Symbol.asyncDispose]()

      for (const outcome of await outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'wire.closed' })
        if (!done()) expect(outcome.status).toBe('fulfilled')
      }
      const asked = started.filter((n) => n >= 0)
      expect(new Set(asked).size).toBe(asked.length)
      const whole = Buffer.concat(got)
      expect(whole.equals(sent.subarray(0, whole.length))).toBe(true)
      expect(asking.pendingCalls).toBe(0)
    }),
    { numRuns: 300 },
  )
})
