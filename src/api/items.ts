// A stream of items as the client prefers it: server-sent events, JSON lines, or one bounded JSON array.

import type { ServerResponse } from 'node:http'
import { failure } from '../contract/errors.ts'
import { Flag } from '../contract/names.ts'
import type { ItemsOperation } from '../contract/operation.ts'
import type { Exchange } from './exchange.ts'
import { toProblem } from './problem.ts'
import { breakOff, openStream, write } from './stream.ts'

const arrayLimit = 10_000
/** An array is held whole: so much of it, in characters, or one item that is larger. */
const arraySize = 16 * 1024 * 1024
const heartbeatMs = 15_000
/** A stream's headers go out at once, but for this moment in which a refusal can still be a status. */
const refusalWaitMs = 250

const forms = { 'text/event-stream': sendEvents, 'application/x-ndjson': sendLines, 'application/json': sendArray }
type Form = keyof typeof forms

export async function answerItems(exchange: Exchange): Promise<unknown> {
  return forms[preferredForm(exchange.request.headers.accept)](exchange)
}

/** The first form that Accept names; a JSON array where it names none. */
function preferredForm(accept = ''): Form {
  const named = accept.split(',').map((one) => one.split(';')[0]?.trim().toLowerCase() ?? '')
  return named.find((one): one is Form => Object.hasOwn(forms, one)) ?? 'application/json'
}

async function sendArray({ operation, input, caller, reply, signal }: Exchange): Promise<unknown> {
  if (Flag.safeParse(input.follow).data) {
    throw failure('input.invalid', {
      what: operation.name,
      problem: 'follow needs a stream: send "Accept: text/event-stream" or "Accept: application/x-ndjson"',
    })
  }
  const items: string[] = []
  let size = 0
  for await (const item of caller.items(operation as ItemsOperation, input, { signal })) {
    const text = JSON.stringify(item)
    size += text.length
    if (items.length === arrayLimit || (items.length > 0 && size > arraySize)) {
      reply.header('Muster-Truncated', 'true')
      break
    }
    items.push(text)
  }
  return reply.type('application/json').send(`[${items.join(',')}]`)
}

async function sendEvents(exchange: Exchange): Promise<void> {
  const { operation, signal } = exchange
  const { values, response } = await begin(exchange, 'text/event-stream')
  const heartbeat = setInterval(() => {
    // A client that is behind hears enough already.
    if (!response.writableNeedDrain) response.write(': still here\n\n')
  }, heartbeatMs)
  try {
    response.write(': streaming\n\n')
    for await (const item of values) await write(response, event('item', item, numberOf(item, operation.numberedBy)), signal)
    response.end(event('end', null))
  } catch (error) {
    // A client that is gone is told nothing; one whose hub closes sees no end, and resumes.
    if (signal.aborted) breakOff(exchange, error)
    else response.end(event('error', toProblem(exchange.explain(error))))
  } finally {
    clearInterval(heartbeat)
  }
}

async function sendLines(exchange: Exchange): Promise<void> {
  const { values, response } = await begin(exchange, 'application/x-ndjson')
  try {
    for await (const item of values) await write(response, line(item), exchange.signal)
    response.end()
  } catch (error) {
    // Lines have no place for an error: a connection that breaks off says that this is not the end.
    breakOff(exchange, error)
  }
}

async function begin({ operation, input, caller, reply, signal }: Exchange, type: Form) {
  const { values } = await openStream(caller.items(operation as ItemsOperation, input, { signal }), refusalWaitMs)
  reply.hijack()
  const response: ServerResponse = reply.raw
  response.writeHead(200, { 'Content-Type': type, 'X-Accel-Buffering': 'no' })
  response.flushHeaders()
  return { values, response }
}

function numberOf(item: unknown, numberedBy: string | undefined): unknown {
  return numberedBy === undefined ? undefined : (item as Record<string, unknown>)[numberedBy]
}

/** As bytes: a text would be held beside its encoded form for as long as its reader is behind. */
function event(name: string, data: unknown, id?: unknown): Buffer {
  return Buffer.from(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}

function line(item: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(item)}\n`)
}
