// A stream of numbered items over server-sent events. After a break it asks for what follows the last number it has seen.

import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Deadline } from '../contract/deadline.ts'
import { failure } from '../contract/errors.ts'
import { Problem } from '../contract/http.ts'
import type { ItemsOperation, OutputOf } from '../contract/operation.ts'
import { maxFrameCap } from '../wire/limits.ts'
import { transportFailure } from './broken.ts'
import { parseOutput } from './output.ts'
import { type Reading, requestOf } from './request.ts'
import { parseJson, problemError } from './response.ts'
import { resumed } from './resume.ts'
import type { Transport } from './transport.ts'

/** The hub says something every 15 s; after this long without a word the connection is taken for dead. */
const silenceMs = 45_000

export function readItems<O extends ItemsOperation>(
  transport: Transport,
  operation: O,
  { input, asked, policy }: Reading,
  { signal, met }: Deadline,
): AsyncIterable<OutputOf<O>> {
  let last: unknown
  return resumed(
    async function* (connected) {
      const request = requestOf(operation, last === undefined ? input : { ...input, after: last }, asked)
      const response = await transport.send({ ...request, headers: { Accept: 'text/event-stream' } }, signal)
      connected()
      try {
        for await (const { event, data } of eventsOf(response, signal)) {
          met()
          if (event === 'end') return
          if (event === 'error') throw errorOf(data)
          if (event !== 'item') continue
          const item = parseOutput(operation, parseJson(data))
          last = numberOf(item, operation.numberedBy)
          yield item
        }
        throw failure('wire.closed', { reason: 'the stream broke off' })
      } finally {
        response.destroy()
      }
    },
    signal,
    policy,
  )
}

async function* eventsOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<EventSourceMessage> {
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

function errorOf(data: string) {
  const problem = Problem.safeParse(parseJson(data))
  return problem.success
    ? problemError(problem.data)
    : failure('wire.protocol', { problem: 'an error event without problem details' })
}

function numberOf(item: unknown, numberedBy: string | undefined): unknown {
  return numberedBy === undefined ? undefined : (item as Record<string, unknown>)[numberedBy]
}
