// What a hub answered: its JSON, or the error that its problem details say.

import type { IncomingMessage } from 'node:http'
import { failure, MusterError } from '../contract/errors.ts'
import { Problem } from '../contract/http.ts'
import { transportFailure } from './broken.ts'

const fromProxy = new Set([502, 503, 504])

/** The error that a response says. */
export async function readProblem(response: IncomingMessage): Promise<MusterError> {
  const text = await readText(response)
  const problem = Problem.safeParse(parseJson(text))
  if (problem.success) return problemError(problem.data)
  // Not the hub's: a proxy before it says that the hub is away. What the hub did with the request is not known.
  if (fromProxy.has(response.statusCode ?? 0))
    return failure('wire.closed', { reason: `what stands before the hub answered HTTP ${response.statusCode}` })
  return failure('wire.protocol', {
    problem: `HTTP ${response.statusCode} without problem details; something else answers at this address`,
  })
}

export function problemError({ code, detail, hint, retryable }: Problem): MusterError {
  return new MusterError({ code, message: detail, hint, retryable })
}

/** More than any answer has; what is larger is a stream. */
const mostBytes = 16 * 1024 * 1024

/** The whole body. Rejects with `wire.closed` when it breaks off, `wire.too_large` where it is more than an answer can be. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      // Leaving the loop ends the response.
      if (bytes > mostBytes) throw failure('wire.too_large', { bytes, limit: mostBytes })
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw transportFailure(error, '')
  }
  return Buffer.concat(chunks).toString('utf8')
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
