// The text frames: JSON-RPC 2.0 requests, responses and the notifications whose names begin with `$/`.
// Parsed here, at the door, into one union; everything behind it can trust the shape. What a method means is not known here.
// The envelope is checked by hand: it is on the way of every call, and messages.test.ts holds it equal to a zod schema.

import { type ErrorValue, failure, MusterError } from '../contract/errors.ts'
import { ErrorValue as ErrorValueSchema } from '../contract/run.ts'
import type { Limits } from './limits.ts'
import { textNumberBytes } from './numbering.ts'

export type Message =
  | { readonly type: 'request'; readonly id: number; readonly method: string; readonly params: Readonly<Record<string, unknown>> }
  | { readonly type: 'result'; readonly id: number; readonly result: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: MusterError }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'progress'; readonly id: number; readonly value: unknown }
  | { readonly type: 'close'; readonly reason: MusterError }
  | { readonly type: 'ping' | 'pong' | 'unknown' }

export const maxId = 0xffff_ffff
const maxMethodLength = 256
/** Errors go into logs, lists and events: of what the other side says, so many characters. */
const longestSentence = 16 * 1024

/** What a text frame says, as `parseObject` read it. Throws `wire.protocol`. */
export function parseMessage(message: Readonly<Record<string, unknown>>): Message {
  if (message.jsonrpc !== '2.0') throw broken('a message that is not JSON-RPC 2.0')
  const { id, method } = message
  if (method === undefined) return parseResponse(message)
  if (typeof method !== 'string' || method === '' || method.length > maxMethodLength)
    throw broken("a message without a method's name")
  const { params = {} } = message
  if (!isObject(params)) throw broken(`${method} without params`)
  return id === undefined ? parseNotification(method, params) : { type: 'request', id: requestId(id), method, params }
}

function parseResponse(message: Readonly<Record<string, unknown>>): Message {
  const { result, error } = message
  const id = requestId(message.id)
  if ((result === undefined) === (error === undefined)) throw broken('an answer that is not either a result or an error')
  return error === undefined ? { type: 'result', id, result } : { type: 'error', id, error: parseError(error) }
}

function parseNotification(method: string, params: Record<string, unknown>): Message {
  switch (method) {
    case '$/cancel':
      return { type: 'cancel', id: requestId(params.id) }
    case '$/progress':
      return { type: 'progress', id: requestId(params.id), value: params.value }
    case '$/close':
      return { type: 'close', reason: parseErrorValue(params.reason) }
    case '$/ping':
      return { type: 'ping' }
    case '$/pong':
      return { type: 'pong' }
    default:
      return { type: 'unknown' }
  }
}

function parseError(error: unknown): MusterError {
  if (!isObject(error) || !Number.isInteger(error.code) || typeof error.message !== 'string')
    throw broken('an error that is none')
  // A peer of another make may send JSON-RPC errors without our data.
  if (error.data === undefined) return failure('internal', { problem: error.message })
  return parseErrorValue(error.data)
}

/** An ErrorValue from the other side, in JSON already parsed. Throws `wire.protocol`. */
export function parseErrorValue(value: unknown): MusterError {
  const parsed = ErrorValueSchema.safeParse(value)
  if (!parsed.success) throw broken('an error without code, message, hint and retryable')
  const { message, hint, ...rest } = parsed.data
  return new MusterError({ ...rest, message: message.slice(0, longestSentence), hint: hint.slice(0, longestSentence) })
}

/** Any JSON object. Throws `wire.protocol`. */
export function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw failure('wire.protocol', { problem: 'a text frame that is not JSON' }, { cause: error })
  }
  if (!isObject(value)) throw broken('a text frame that is not a JSON object')
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function requestId(id: unknown): number {
  if (Number.isInteger(id) && (id as number) >= 1 && (id as number) <= maxId) return id as number
  throw broken('an id that is not an integer from 1 to 4294967295')
}

function broken(problem: string): MusterError {
  return failure('wire.protocol', { problem })
}

export function encodeRequest(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params })
}

/** Throws what JSON.stringify throws for a value that is not JSON. */
export function encodeResult(id: number, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result: result ?? null })
}

export function encodeError(id: number, error: MusterError): string {
  const data: ErrorValue = error.toValue()
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: numberOf(error), message: error.message, data } })
}

export function encodeCancel(id: number): string {
  return `{"jsonrpc":"2.0","method":"$/cancel","params":{"id":${id}}}`
}

export function encodeProgress(id: number, value: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', method: '$/progress', params: { id, value: value ?? null } })
}

export function encodeClose(reason: MusterError): string {
  return JSON.stringify({ jsonrpc: '2.0', method: '$/close', params: { reason: reason.toValue() } })
}

export const pingMessage = '{"jsonrpc":"2.0","method":"$/ping"}'
export const pongMessage = '{"jsonrpc":"2.0","method":"$/pong"}'

/** Undefined if a text may be sent; else `wire.too_large`. The number that it will bear counts. */
export function tooLarge(text: string, { maxFrame }: Pick<Limits, 'maxFrame'>): MusterError | undefined {
  // No character takes more than three bytes: most texts need no counting.
  if (text.length * 3 + textNumberBytes <= maxFrame) return undefined
  const bytes = Buffer.byteLength(text) + textNumberBytes
  return bytes > maxFrame ? failure('wire.too_large', { bytes, limit: maxFrame }) : undefined
}

/** JSON-RPC wants a number; ours is in `data`. */
function numberOf(error: MusterError): number {
  switch (error.code) {
    case 'operation.unknown':
      return -32601
    case 'input.invalid':
      return -32602
    case 'internal':
      return -32603
    default:
      return -32000
  }
}
