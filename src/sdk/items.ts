// A stream of numbered items over server-sent events. After a break it asks for what follows the last number it has seen.

import type { Deadline } from '../contract/deadline.ts'
import { failure } from '../contract/errors.ts'
import type { ItemsOperation, OutputOf } from '../contract/operation.ts'
import { errorOf, eventsOf } from './events.ts'
import { parseOutput } from './output.ts'
import { type Reading, requestOf } from './request.ts'
import { parseJson } from './response.ts'
import { resumed } from './resume.ts'
import type { Transport } from './transport.ts'

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

function numberOf(item: unknown, numberedBy: string | undefined): unknown {
  return numberedBy === undefined ? undefined : (item as Record<string, unknown>)[numberedBy]
}
