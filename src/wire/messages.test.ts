import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { ErrorValue } from '../contract/run.ts'
import {
  encodeCancel,
  encodeClose,
  encodeError,
  encodeProgress,
  encodeRequest,
  encodeResult,
  maxId,
  parseMessage,
  parseObject,
  pingMessage,
  pongMessage,
} from './messages.ts'

const parseText = (text: string) => parseMessage(parseObject(text))

// What docs/protocol.md says of text frames, as one schema: the hand-written check must let in exactly this.
const id = z.int().min(1).max(maxId)
const jsonrpc = z.literal('2.0')
const params = z.record(z.string(), z.unknown()).optional()
const absent = z.undefined().optional()
const known = ['$/cancel', '$/progress', '$/close']
const Envelope = z.union([
  z.object({ jsonrpc, id, method: z.string().min(1).max(256), params }),
  z.object({ jsonrpc, id, method: absent, result: z.unknown().refine((result) => result !== undefined), error: absent }),
  z.object({
    jsonrpc,
    id,
    method: absent,
    result: absent,
    error: z.object({ code: z.int(), message: z.string(), data: ErrorValue.optional() }),
  }),
  z.object({ jsonrpc, id: absent, method: z.enum(['$/cancel', '$/progress']), params: z.object({ id }) }),
  z.object({ jsonrpc, id: absent, method: z.literal('$/close'), params: z.object({ reason: ErrorValue }) }),
  z.object({
    jsonrpc,
    id: absent,
    method: z
      .string()
      .min(1)
      .max(256)
      .refine((name) => !known.includes(name)),
    params,
  }),
])

const oddValue = fc.oneof(
  fc.constantFrom(undefined, null, 0, 1, -1, 1.5, maxId, maxId + 1, '', '2.0', '1', [], {}, true),
  fc.constantFrom('run.start', '$/cancel', '$/progress', '$/close', '$/ping', 'x'.repeat(257)),
  fc.record({ id: fc.constantFrom(1, 0, 'a') }),
  fc.record({ reason: fc.constantFrom({ code: 'a', message: 'b', hint: 'c', retryable: false }, { code: 'a' }) }),
  fc.record({
    code: fc.constantFrom(-32000, 1.5, 'x'),
    message: fc.constantFrom('m', 3),
    data: fc.constantFrom(undefined, null, { code: 'a', message: 'b', hint: 'c', retryable: false }, {}),
  }),
)
const envelope = fc.record({
  jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant('2.0') }, oddValue),
  id: fc.oneof(fc.constant(1), fc.constant(undefined), oddValue),
  method: fc.oneof(fc.constant(undefined), fc.constantFrom('run.start', ...known), oddValue),
  params: oddValue,
  result: fc.oneof(fc.constant(undefined), oddValue),
  error: fc.oneof(fc.constant(undefined), oddValue),
})

test('the check by hand lets in exactly what the schema does', () => {
  fc.assert(
    fc.property(envelope, (value) => {
      const text = JSON.stringify(value)
      const allowed = Envelope.safeParse(JSON.parse(text)).success
      if (allowed) expect(parseText(text)).toBeDefined()
      else expect(() => parseText(text)).toThrow(expect.objectContaining({ code: 'wire.protocol' }))
    }),
    { numRuns: 20_000 },
  )
})

test('any text is a message or wire.protocol, and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseText(text)
      } catch (error) {
        expect((error as { code: string }).code).toBe('wire.protocol')
      }
    }),
    { numRuns: 2_000 },
  )
})

test('what is encoded is parsed as what it was', () => {
  const error = failure('run.unknown', { run: 'r1' })
  expect(parseText(encodeRequest(7, 'run.get', { input: {} }))).toEqual({
    type: 'request',
    id: 7,
    method: 'run.get',
    params: { input: {} },
  })
  expect(parseText(encodeResult(7, undefined))).toEqual({ type: 'result', id: 7, result: null })
  expect(parseText(encodeError(7, error))).toMatchObject({
    type: 'error',
    id: 7,
    error: { code: 'run.unknown', hint: error.hint },
  })
  expect(parseText(encodeCancel(7))).toEqual({ type: 'cancel', id: 7 })
  expect(parseText(encodeProgress(7, [1]))).toEqual({ type: 'progress', id: 7, value: [1] })
  expect(parseText(encodeClose(error))).toMatchObject({ type: 'close', reason: { code: 'run.unknown' } })
  expect([parseText(pingMessage).type, parseText(pongMessage).type]).toEqual(['ping', 'pong'])
})

test('an error without our data is an internal error of the other side', () => {
  const text = '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}'
  expect(parseText(text)).toMatchObject({ type: 'error', error: { code: 'internal' } })
})
