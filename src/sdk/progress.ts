// A call that tells of its progress: events until the one that is its answer. It is never repeated.

import { failure } from '../contract/errors.ts'
import { errorOf, eventsOf } from './events.ts'
import type { HttpRequest } from './request.ts'
import { parseJson } from './response.ts'
import type { Transport } from './transport.ts'

/** What the last event answers. Throws what the hub says, or `wire.closed` where there is no last event. */
export async function readAnswer(
  transport: Transport,
  request: HttpRequest,
  onProgress: (value: unknown) => void,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await transport.send({ ...request, headers: { ...request.headers, Accept: 'text/event-stream' } }, signal)
  try {
    for await (const { event, data } of eventsOf(response, signal)) {
      if (event === 'progress') onProgress(parseJson(data))
      if (event === 'error') throw errorOf(data)
      if (event === 'answer') return parseJson(data)
    }
    throw failure('wire.closed', { reason: 'the answer broke off' })
  } finally {
    response.destroy()
  }
}
