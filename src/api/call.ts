// One answer as JSON, or, for who accepts events of an operation that tells of its progress, as the last of them.

import type { CallOperation } from '../contract/operation.ts'
import type { Exchange } from './exchange.ts'
import { toProblem } from './problem.ts'
import { breakOff } from './stream.ts'

const heartbeatMs = 15_000
/** A client that is behind by so much hears of no progress until it has caught up: it is advice. */
const behindBytes = 1024 * 1024

export async function answerCall(exchange: Exchange): Promise<unknown> {
  const { operation, input, caller, request, reply, signal } = exchange
  if (operation.reports && wantsEvents(request.headers.accept)) return answerWithProgress(exchange)
  const output = await caller.call(operation as CallOperation, input, { signal })
  return reply.type('application/json').send(JSON.stringify(output ?? null))
}

function wantsEvents(accept = ''): boolean {
  return accept.split(',').some((one) => one.split(';')[0]?.trim().toLowerCase() === 'text/event-stream')
}

/** Until the first word is due, a refusal is an HTTP status; after it, an event. */
async function answerWithProgress(exchange: Exchange): Promise<void> {
  const { operation, input, caller, reply, signal } = exchange
  const response = reply.raw
  const say = (text: string) => {
    if (!response.headersSent) {
      reply.hijack()
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
    }
    response.write(text)
  }
  const advise = (text: string) => {
    if (!signal.aborted && response.writableLength < behindBytes) say(text)
  }
  const heartbeat = setInterval(() => advise(': still here\n\n'), heartbeatMs)
  try {
    const output = await caller.call(operation as CallOperation, input, {
      signal,
      onProgress: (value) => advise(event('progress', value)),
    })
    say(event('answer', output ?? null))
    response.end()
  } catch (error) {
    if (!response.headersSent) throw error
    if (signal.aborted) breakOff(exchange, error)
    else response.end(event('error', toProblem(exchange.explain(error))))
  } finally {
    clearInterval(heartbeat)
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data ?? null)}\n\n`
}
