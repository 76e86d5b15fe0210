// An operation and its input as an HTTP request, at the place that the contract derives for it.

import { httpPlace } from '../contract/http.ts'
import type { Operation } from '../contract/operation.ts'
import type { ResumePolicy } from './resume.ts'

/** Who is asked: the hub, or one of its hosts. */
export type Asked = 'hub' | { readonly host: string }

/** A read: of whom, what, and for how long a broken one is taken up again. */
export interface Reading {
  readonly input: Readonly<Record<string, unknown>>
  readonly asked: Asked
  readonly policy: ResumePolicy
}

export interface HttpRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Record<string, string>
  readonly body?: string
}

export function requestOf(operation: Operation, input: Readonly<Record<string, unknown>>, asked: Asked): HttpRequest {
  const place = httpPlace(operation, asked === 'hub' ? 'hub' : 'host')
  const values = asked === 'hub' ? input : { ...input, host: asked.host }
  const path = place.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name] ?? '')))
  const rest = Object.entries(input).filter(([name, value]) => value !== undefined && !place.pathFields.includes(name))
  if (place.restIn === 'query') return { method: place.method, path: `${path}${queryOf(rest)}`, headers: {} }
  return {
    method: place.method,
    path,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(Object.fromEntries(rest)),
  }
}

function queryOf(fields: readonly [string, unknown][]): string {
  const query = new URLSearchParams()
  for (const [name, value] of fields) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one))
  }
  return query.size === 0 ? '' : `?${query}`
}
