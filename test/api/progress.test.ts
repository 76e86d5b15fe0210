// A call that tells of its progress over HTTP: in order, before its answer, to who asks for it and to nobody else.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { invokeCommand } from '../../src/contract/command.ts'
import { failure } from '../../src/contract/errors.ts'
import { type CallContext, implement } from '../../src/contract/implementation.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { type ApiServer, ask, serveApi } from './api-server.ts'

let server: ApiServer
let client: HubClient
let handle: (context: CallContext) => Promise<{ result: unknown }>
beforeAll(async () => {
  server = await serveApi({ handlers: [implement(invokeCommand, (_input, context) => handle(context))] })
  client = connectHub({ url: server.url, token: 'operator' })
})
afterAll(async () => {
  client.close()
  await server[Symbol.asyncDispose]()
})

const told: unknown[] = []
const invoke = (signal?: AbortSignal) => {
  told.length = 0
  const options = { onProgress: (value: unknown) => told.push(value), ...(signal && { signal }) }
  return client.host('box').call(invokeCommand, { command: 'exec' }, options)
}
const path = '/api/v1/hosts/box/commands/exec/invoke'

test('progress comes as it is told, then the answer', async () => {
  const values = [1, 'two\n', { three: '\r\n\r\n日本' }, null, []]
  handle = async ({ progress }) => {
    for (const value of values) progress(value)
    return { result: 'done' }
  }
  expect(await invoke()).toEqual({ result: 'done' })
  expect(told).toEqual(values)
})

test('progress is told while the call goes on', async () => {
  const seen = Promise.withResolvers<void>()
  handle = async ({ progress }) => {
    progress('begun')
    await seen.promise
    return { result: 'done' }
  }
  const answer = client.host('box').call(invokeCommand, { command: 'exec' }, { onProgress: () => seen.resolve() })
  expect(await answer).toEqual({ result: 'done' })
})

test('a refusal before the first word is an HTTP status; a failure after it is an error all the same', async () => {
  handle = async () => {
    throw failure('policy.denied', { command: 'exec' })
  }
  await expect(invoke()).rejects.toMatchObject({ code: 'policy.denied' })
  const headers = { Accept: 'text/event-stream' }
  expect((await ask(server, { method: 'POST', path, token: 'operator', body: '{}', headers })).status).toBe(403)
  handle = async ({ progress }) => {
    progress('begun')
    throw failure('command.failed', { command: 'exec', how: 'exit 1', stderr: '' })
  }
  await expect(invoke()).rejects.toMatchObject({ code: 'command.failed', retryable: false })
  expect(told).toEqual(['begun'])
})

test('who does not ask for progress gets the answer alone', async () => {
  handle = async ({ progress }) => {
    progress('unheard')
    return { result: 5 }
  }
  expect(await client.host('box').call(invokeCommand, { command: 'exec' })).toEqual({ result: 5 })
  const answer = await ask(server, { method: 'POST', path, token: 'operator', body: '{}' })
  expect(answer.json).toEqual({ result: 5 })
})

test('a client that goes away cancels the call', async () => {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<unknown>()
  handle = ({ signal, progress }) => {
    progress('begun')
    begun.resolve()
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        ended.resolve(signal.reason)
        reject(signal.reason)
      }),
    )
  }
  const leaving = new AbortController()
  const left = invoke(leaving.signal)
  await begun.promise
  leaving.abort()
  await expect(left).rejects.toMatchObject({ code: 'call.cancelled' })
  expect(await ended.promise).toMatchObject({ code: 'call.cancelled' })
})

test('an answer that breaks off is no answer, and is never asked for again', async () => {
  let asked = 0
  const begun = Promise.withResolvers<void>()
  handle = ({ progress, signal }) => {
    asked++
    progress('begun')
    begun.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const broken = connectHub({ url: server.url, token: 'operator' })
  const call = broken.host('box').call(invokeCommand, { command: 'exec' }, { onProgress: () => undefined })
  await begun.promise
  broken.close()
  await expect(call).rejects.toMatchObject({ code: 'wire.closed' })
  expect(asked).toBe(1)
})
