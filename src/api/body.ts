// Which request bodies a route takes: a JSON object of at most 2 MiB, or bytes of any length, unread; as they are, or told sparsely.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { failure } from '../contract/errors.ts'
import { sparseType } from '../contract/sparse.ts'

const types = { json: 'application/json', bytes: 'application/octet-stream' } as const

export function acceptBodies(scope: FastifyInstance, kind: keyof typeof types): void {
  scope.removeAllContentTypeParsers()
  if (kind === 'json') {
    scope.addContentTypeParser(types.json, { parseAs: 'string' }, async (_request: FastifyRequest, text: string) => parse(text))
  } else {
    scope.addContentTypeParser([types.bytes, sparseType], async (_request: FastifyRequest, payload: unknown) => payload)
  }
  scope.addContentTypeParser('*', async ({ headers }: FastifyRequest): Promise<unknown> => {
    throw failure('http.media_type', { given: headers['content-type'] || 'of no declared type', wanted: types[kind] })
  })
}

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw failure('input.invalid', { what: "the request's JSON body", problem: (error as SyntaxError).message })
  }
}
