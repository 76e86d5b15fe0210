// Errors as RFC 9457 problem details. Whatever is thrown anywhere below a route leaves the API through here.

import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { asMusterError, failure, MusterError } from '../contract/errors.ts'
import type { Problem } from '../contract/http.ts'

export const problemType = 'application/problem+json'
export const bodyLimitBytes = 2 * 1024 * 1024

export function toProblem(error: MusterError): Problem {
  const { code, message, hint, retryable, status } = error
  return { type: `urn:muster:error:${code}`, title: code, status, detail: message, code, hint, retryable }
}

export function sendProblem(reply: FastifyReply, error: MusterError): FastifyReply {
  addHeaders(reply.raw, error)
  return reply
    .code(error.status)
    .type(problemType)
    .send(JSON.stringify(toProblem(error)))
}

function addHeaders(response: ServerResponse, error: MusterError): void {
  if (error.status === 401) {
    response.setHeader(
      'WWW-Authenticate',
      `Bearer realm="muster"${error.code === 'auth.required' ? '' : ', error="invalid_token"'}`,
    )
  }
}

/** What went wrong, in the catalogue's words. What is not in it is logged under the request's id and told without details. */
export function explain(thrown: unknown, { log, request }: { log: Logger; request: string }): MusterError {
  if (thrown instanceof MusterError) return thrown
  const known = explainFastify(thrown) ?? asMusterError(thrown)
  if (known.code !== 'internal') return known
  log.error({ err: thrown, request }, 'a request failed')
  return failure('internal', { problem: `the hub's log says why, under request ${request}` })
}

function explainFastify(thrown: unknown): MusterError | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return undefined
  if (!thrown.code.startsWith('FST_ERR_')) return undefined
  if (thrown.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return failure('http.body_too_large', { limit: bodyLimitBytes })
  const isClients = 'statusCode' in thrown && typeof thrown.statusCode === 'number' && thrown.statusCode < 500
  return isClients ? failure('input.invalid', { what: 'the request', problem: thrown.message }) : undefined
}
