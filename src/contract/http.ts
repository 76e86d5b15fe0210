// Where the HTTP API serves an operation and how its input travels, derived from the operation alone.
// The API answers by it and the SDK asks by it, so that the two cannot disagree.

import { z } from 'zod'
import { failure } from './errors.ts'
import type { Operation } from './operation.ts'

export const apiBase = '/api/v1'
/** Where a web link answers an approval: a page for people, and no part of the API. */
export const approvalLinkPath = '/approve/:token'
export const tunnelPath = `${apiBase}/tunnel`
/** The ids of the hubs that a request has come through, with commas between them. A person's own request has none. */
export const viaHeader = 'Muster-Via'

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface HttpPlace {
  readonly method: HttpMethod
  /** With `:name` parts, below the API's origin: `/api/v1/hosts/:host/runs/:run`. */
  readonly path: string
  /** The input's fields that are parts of the path. A host operation's `:host` is an address, not input. */
  readonly pathFields: readonly string[]
  /** Where the other fields travel. */
  readonly restIn: 'query' | 'body'
}

/** `of`: whether a hub is asked, or one of its hosts. Throws `operation.unknown` for one that HTTP does not carry. */
export function httpPlace(operation: Operation, of: 'hub' | 'host'): HttpPlace {
  if (operation.http === null) throw failure('operation.unknown', { operation: operation.name })
  const [method, path] = operation.http.split(' ') as [HttpMethod, string]
  const hasJsonBody = operation.kind === 'call' && (method === 'POST' || method === 'PUT')
  return {
    method,
    path: `${apiBase}${of === 'host' ? '/hosts/:host' : ''}${path}`,
    pathFields: [...path.matchAll(/:(\w+)/g)].map((match) => match[1] as string),
    restIn: hasJsonBody ? 'body' : 'query',
  }
}

/** RFC 9457 problem details: how the HTTP API says an error. */
export const Problem = z.object({
  type: z.string().meta({ description: '`urn:muster:error:` and the code.' }),
  title: z.string().meta({ description: 'The code.' }),
  status: z.int(),
  detail: z.string().meta({ description: 'One sentence.' }),
  code: z.string().meta({ description: 'See docs/errors.md.' }),
  hint: z.string().meta({ description: 'What to do next.' }),
  retryable: z.boolean().meta({ description: 'Whether the same request may succeed later.' }),
})
export type Problem = z.output<typeof Problem>
