// An operation's input, gathered from where HTTP carries it: path, query, JSON body, and the two headers that mean a field.
// It only gathers. Whether the fields are right is for the contract's door to say.

import { failure } from '../contract/errors.ts'
import type { Route } from './routes.ts'

export interface Carried {
  readonly params: Readonly<Record<string, unknown>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Throws `input.invalid` when two places give one field different values, or the body is no JSON object. */
export function gatherInput({ operation, asks }: Route, { params, query, body, headers }: Carried): Record<string, unknown> {
  const { host: _address, ...own } = params
  const places: [string, Readonly<Record<string, unknown>>][] = [
    ['path', asks === 'host' ? own : params],
    ['query', query],
    ['body', objectBody(operation.name, body)],
  ]
  const fields = operation.input.shape
  if (operation.kind === 'bytes' && 'offset' in fields) places.push(['Range header', readRange(headers.range)])
  const input = merge(operation.name, places)
  const lastSeen = headers['last-event-id']
  // A browser that reconnects asks its first URL again, with Last-Event-ID: the later of the two is where it stands.
  if ('after' in fields && lastSeen !== undefined) input.after = later(input.after, lastSeen)
  return input
}

function objectBody(operation: string, body: unknown): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) return {}
  if (typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>
  throw failure('input.invalid', { what: operation, problem: 'the body is not a JSON object' })
}

function merge(operation: string, places: [string, Readonly<Record<string, unknown>>][]): Record<string, unknown> {
  const merged = new Map<string, { place: string; value: unknown }>()
  for (const [place, values] of places) {
    for (const [field, value] of Object.entries(values)) {
      const before = merged.get(field)
      if (before && !isSame(before.value, value)) {
        throw failure('input.invalid', {
          what: operation,
          problem: `${field} is given in the ${before.place} and, differently, in the ${place}`,
        })
      }
      merged.set(field, { place, value })
    }
  }
  return Object.fromEntries([...merged].map(([field, { value }]) => [field, value]))
}

/** Paths and queries carry text: 5 and "5" are the same value. */
function isSame(one: unknown, other: unknown): boolean {
  return text(one) === text(other)
}

function text(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** One range with a beginning; whatever else a Range header may say is ignored, as RFC 9110 permits. */
export function readRange(header: string | string[] | undefined): { offset?: number; limit?: number } {
  const match = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(String(header ?? ''))
  if (!match) return {}
  const first = Number(match[1])
  if (match[2] === undefined) return { offset: first }
  const last = Number(match[2])
  return last < first ? {} : { offset: first, limit: last - first + 1 }
}

function later(after: unknown, lastSeen: string | string[]): unknown {
  if (after === undefined) return lastSeen
  return Number(lastSeen) < Number(after) ? after : lastSeen
}
