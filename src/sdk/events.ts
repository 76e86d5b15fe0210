// Server-sent events of a response, as they come.

import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { failure, type MusterError } from '../contract/errors.ts'
import { Problem } from '../contract/http.ts'
import { maxFrameCap } from '../wire/limits.ts'
import { transportFailure } from './broken.ts'
import { parseJson, problemError } from './response.ts'

/** The hub says something every 15 s; after this long without a word the connection is taken for dead. */
const silenceMs = 45_000

export async function* eventsOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<EventSourceMessage> {
  const arrived: EventSourceMessage[] = []
  /** Since the last event. */
  let bytes = 0
  let tooLarge = false
  const parser = createParser({
    onEvent: (message) => void arrived.push(message),
    onError: ({ type }) => {
      tooLarge ||= type === 'max-buffer-size-exceeded'
    },
    // No item is larger than a frame can be.
    maxBufferSize: maxFrameCap,
  })
  const decoder = new TextDecoder()
  response.setTimeout(silenceMs, () => response.destroy(failure('wire.closed', { reason: `nothing came for ${silenceMs} ms` })))
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      parser.feed(decoder.decode(chunk as Buffer, { stream: true }))
      if (tooLarge) throw failure('wire.too_large', { bytes, limit: maxFrameCap })
      if (arrived.length > 0) bytes = 0
      yield* arrived.splice(0)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw transportFailure(error, '')
  }
}

/** What an event `error` says. */
export function errorOf(data: string): MusterError {
  const problem = Problem.safeParse(parseJson(data))
  return problem.success
    ? problemError(problem.data)
    : failure('wire.protocol', { problem: 'an error event without problem details' })
}
