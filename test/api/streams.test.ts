// Streams over HTTP: events that resume, ranges, uploads and downloads of any size, readers that are slow or gone.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import { followEvents, type RunEvent } from '../../src/contract/event.ts'
import { getFile, putFile } from '../../src/contract/file.ts'
import { implement, type Principal } from '../../src/contract/implementation.ts'
import { followLog, readOutput } from '../../src/contract/output.ts'
import { writeStdin } from '../../src/contract/run.ts'
import { fromSparse, sparseType } from '../../src/contract/sparse.ts'
import { connectHub } from '../../src/sdk/client.ts'
import { eventually } from '../resources/eventually.ts'
import { type ApiServer, ask, serveApi } from './api-server.ts'

const eventsPath = '/api/v1/hosts/box/runs/r1/events'
const outputPath = '/api/v1/hosts/box/runs/r1/output'
const stdinPath = '/api/v1/hosts/box/runs/r1/stdin'
const sse = { Accept: 'text/event-stream' }

function eventNumber(seq: number): RunEvent {
  return { seq, at: '2026-01-01T00:00:00.000Z', type: 'state', state: 'running' }
}

/** A run with so many events; following it, the last comes and then nothing until the reader leaves. */
function eventsUpTo(last: number, gone?: () => void) {
  return implement(followEvents, async function* ({ after, follow, run }, { signal }) {
    if (run === 'nobody') throw failure('run.unknown', { run })
    if (run === 'broken') {
      yield eventNumber(1)
      throw new Error('secret detail')
    }
    for (let seq = after + 1; seq <= last; seq++) yield eventNumber(seq)
    if (!follow) return
    if (!signal.aborted) await once(signal, 'abort')
    gone?.()
  })
}

const content = randomBytes(1000)
const output = implement(readOutput, async function* ({ offset, limit }) {
  const bytes = content.subarray(offset, limit === undefined ? undefined : offset + limit)
  if (bytes.length > 0) yield bytes
})

/** A request whose answer the test reads itself. */
async function open(server: ApiServer, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const asked = request({
    host: '127.0.0.1',
    port: server.port,
    path,
    agent: false,
    headers: { Authorization: 'Bearer viewer', ...headers },
  })
  asked.on('error', () => undefined)
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

function idsOf(text: string): number[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
}

describe('server-sent events', () => {
  test('carry id, event and data, and end with `end`', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(2)] })
    const answer = await ask(server, { path: eventsPath, token: 'viewer', headers: sse })
    expect(answer.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    expect(answer.text).toContain(`id: 2\nevent: item\ndata: ${JSON.stringify(eventNumber(2))}\n\n`)
    expect(answer.text).toMatch(/event: end\ndata: null\n\n$/)
  })

  test.each([
    [{ 'Last-Event-ID': '3' }, '', [4, 5]],
    [{ 'Last-Event-ID': '3' }, '?after=1', [4, 5]],
    [{}, '?after=4', [5]],
    [{ 'Last-Event-ID': '1' }, '?after=4', [5]],
    [{ 'Last-Event-ID': '5' }, '', []],
  ])('with %o and "%s" go on at %o', async (headers, query, expected) => {
    await using server = await serveApi({ handlers: [eventsUpTo(5)] })
    const answer = await ask(server, {
      path: eventsPath + query,
      token: 'viewer',
      headers: { ...sse, ...headers } as Record<string, string>,
    })
    expect(idsOf(answer.text)).toEqual(expected)
  })

  test('with a Last-Event-ID that is no number are refused', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(5)] })
    const answer = await ask(server, { path: eventsPath, token: 'viewer', headers: { ...sse, 'Last-Event-ID': 'x' } })
    expect(answer.json).toMatchObject({ status: 400, code: 'input.invalid' })
  })

  test('are refused with a status while that can be', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(5)] })
    const answer = await ask(server, { path: eventsPath.replace('r1', 'nobody'), token: 'viewer', headers: sse })
    expect(answer.json).toMatchObject({ status: 404, code: 'run.unknown' })
  })

  test('that break later say so in an event, without details of ours', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(5)] })
    const answer = await ask(server, { path: eventsPath.replace('r1', 'broken'), token: 'viewer', headers: sse })
    expect(answer.text).toMatch(/event: error\ndata: {"type":"urn:muster:error:internal"/)
    expect(answer.text).not.toContain('secret detail')
    expect(answer.text).not.toContain('event: end')
    expect(server.logged.join('')).toContain('secret detail')
  })

  test('are flushed as they come, and end at their source when the reader goes', async () => {
    const gone = vi.fn<() => void>()
    await using server = await serveApi({ handlers: [eventsUpTo(1, gone)] })
    const response = await open(server, `${eventsPath}?follow=true`, sse)
    let seen = ''
    response.on('data', (chunk: Buffer) => {
      seen += chunk
    })
    response.on('error', () => undefined)
    await eventually(() => expect(idsOf(seen)).toEqual([1]))
    expect(gone).not.toHaveBeenCalled()
    response.destroy()
    await eventually(() => expect(gone).toHaveBeenCalled())
  })
})

test('a reader that has gone before it was known who it is starts nothing that goes on', async () => {
  const left = Promise.withResolvers<void>()
  const asked = vi.fn<() => void>()
  const ended = vi.fn<() => void>()
  const follow = implement(followEvents, async function* (_, { signal }) {
    yield eventNumber(1)
    if (!signal.aborted) await once(signal, 'abort')
    ended()
  })
  const operator: Principal = { kind: 'user', id: 't', role: 'operator', scopes: new Set(['read']) }
  await using server = await serveApi({
    handlers: [follow],
    authenticate: async () => {
      asked()
      await left.promise
      return operator
    },
  })
  const closed = vi.fn<() => void>()
  const leaving = request({
    host: '127.0.0.1',
    port: server.port,
    path: `${eventsPath}?follow=true`,
    agent: false,
    headers: { ...sse, Authorization: 'Bearer t' },
  })
  leaving.on('error', closed)
  leaving.end()
  await eventually(() => expect(asked).toHaveBeenCalled())
  leaving.destroy()
  // Another request on another connection is answered after the first one's end was seen.
  await eventually(() => expect(closed).toHaveBeenCalled())
  await ask(server, { path: '/healthz' })
  left.resolve()
  for (let turn = 0; turn < 5; turn++) await ask(server, { path: '/healthz' })
  expect(ended.mock.calls.length).toBe(server.reached.length)
})

describe('items without events', () => {
  test('are cut where they come to more than is held for one answer', async () => {
    const text = 'x'.repeat(256 * 1024)
    const log = implement(followLog, async function* () {
      for (let chunk = 1; chunk <= 1000; chunk++) {
        yield { chunk, at: '2026-01-01T00:00:00.000Z', stream: 'stdout' as const, offset: (chunk - 1) * text.length, text }
      }
    })
    await using server = await serveApi({ handlers: [log] })
    const answer = await ask(server, { path: '/api/v1/hosts/box/runs/r1/log', token: 'viewer' })
    expect(answer.headers['muster-truncated']).toBe('true')
    expect(answer.json).toHaveLength(63)
  })

  test('are an array', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(3)] })
    const answer = await ask(server, { path: eventsPath, token: 'viewer' })
    expect(answer.json).toEqual([1, 2, 3].map(eventNumber))
    expect(answer.headers['muster-truncated']).toBeUndefined()
  })

  test.each([
    [10_000, undefined],
    [10_001, 'true'],
  ])('of %d are an array of at most 10,000', async (count, truncated) => {
    await using server = await serveApi({ handlers: [eventsUpTo(count)] })
    const answer = await ask(server, { path: eventsPath, token: 'viewer' })
    expect(answer.json).toHaveLength(10_000)
    expect(answer.headers['muster-truncated']).toBe(truncated)
  })

  test.each(['true', '1', 'yes'])('cannot be followed as an array (follow=%s)', async (follow) => {
    await using server = await serveApi({ handlers: [eventsUpTo(3)] })
    const answer = await ask(server, { path: `${eventsPath}?follow=${follow}`, token: 'viewer' })
    expect(answer.json).toMatchObject({ status: 400, code: 'input.invalid' })
    expect(answer.json.detail).toContain('text/event-stream')
  })

  test('come as lines of JSON where those are asked for', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(3)] })
    const answer = await ask(server, { path: eventsPath, token: 'viewer', headers: { Accept: 'application/x-ndjson' } })
    expect(
      answer.text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as RunEvent).seq),
    ).toEqual([1, 2, 3])
  })

  test('as lines break off where the source breaks', async () => {
    await using server = await serveApi({ handlers: [eventsUpTo(3)] })
    const asked = ask(server, {
      path: eventsPath.replace('r1', 'broken'),
      token: 'viewer',
      headers: { Accept: 'application/x-ndjson' },
    })
    await expect(asked).rejects.toThrow(/aborted|hang up|reset/i)
  })
})

describe('bytes', () => {
  test.each([
    ['', undefined, 200, [0, 1000], undefined],
    ['?offset=990', undefined, 200, [990, 1000], undefined],
    ['?offset=10&limit=5', undefined, 200, [10, 15], undefined],
    ['', 'bytes=990-', 206, [990, 1000], 'bytes 990-9007199254740991/*'],
    ['', 'bytes=0-99', 206, [0, 100], 'bytes 0-99/*'],
    ['?offset=100', 'bytes=100-199', 206, [100, 200], 'bytes 100-199/*'],
    ['', 'bytes=5-2', 200, [0, 1000], undefined],
    ['', 'bytes=-5', 200, [0, 1000], undefined],
    ['', 'bytes=0-1,5-6', 200, [0, 1000], undefined],
    ['', 'lines=1-2', 200, [0, 1000], undefined],
  ])('"%s" with Range %s is %d', async (query, range, status, [from, to], contentRange) => {
    await using server = await serveApi({ handlers: [output] })
    const response = await open(server, outputPath + query, range === undefined ? {} : { Range: range })
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-range']).toBe(contentRange)
    expect(response.headers['accept-ranges']).toBe('bytes')
    expect(Buffer.concat(chunks)).toEqual(content.subarray(from, to))
  })

  test('from beyond the end are no range', async () => {
    await using server = await serveApi({ handlers: [output] })
    const answer = await ask(server, { path: outputPath, token: 'viewer', headers: { Range: 'bytes=1000-' } })
    expect(answer.json).toMatchObject({ status: 416, code: 'http.range' })
    expect((await ask(server, { path: `${outputPath}?offset=1000`, token: 'viewer' })).status).toBe(200)
  })

  test('with an offset that differs from the range are refused', async () => {
    await using server = await serveApi({ handlers: [output] })
    const answer = await ask(server, { path: `${outputPath}?offset=5`, token: 'viewer', headers: { Range: 'bytes=6-' } })
    expect(answer.json).toMatchObject({ status: 400, code: 'input.invalid' })
    expect(answer.json.detail).toContain('offset is given in the query and, differently, in the Range header')
  })

  test('that break later are not taken for the whole', async () => {
    const breaking = implement(readOutput, async function* () {
      yield content
      throw failure('wire.closed', { reason: 'gone' })
    })
    await using server = await serveApi({ handlers: [breaking] })
    await expect(ask(server, { path: outputPath, token: 'viewer' })).rejects.toThrow(/aborted|hang up|reset/i)
  })

  test('of 200 MB arrive whole, and a paused reader costs a bounded window', async () => {
    const chunk = randomBytes(256 * 1024)
    const chunks = 800
    let taken = 0
    let closed = false
    const large = implement(readOutput, async function* () {
      try {
        for (; taken < chunks; taken++) yield chunk
      } finally {
        closed = true
      }
    })
    await using server = await serveApi({ handlers: [large] })
    const response = await open(server, outputPath)
    let before = -1
    // The reader takes nothing: the source must come to a halt, after what the sockets' buffers hold.
    await vi.waitFor(
      () => {
        const now = taken
        const halted = now === before
        before = now
        expect(halted && now > 0).toBe(true)
      },
      { interval: 200, timeout: 30_000 },
    )
    expect(taken * chunk.length).toBeLessThan(16 * 1024 * 1024)
    const hash = createHash('sha256')
    for await (const part of response) hash.update(part as Buffer)
    const expected = createHash('sha256')
    for (let index = 0; index < chunks; index++) expected.update(chunk)
    expect(hash.digest('hex')).toBe(expected.digest('hex'))
    expect(closed).toBe(true)
  })
})

describe('uploads', () => {
  const octets = { 'Content-Type': 'application/octet-stream' }

  test('of 64 MB arrive whole, as fast as the handler reads and no faster', async () => {
    const chunk = randomBytes(1024 * 1024)
    const go = Promise.withResolvers<void>()
    const received = createHash('sha256')
    const reading = implement(writeStdin, async ({ offset }, _context, body) => {
      await go.promise
      let written = offset
      for await (const bytes of body) {
        received.update(bytes)
        written += bytes.length
      }
      return { written }
    })
    await using server = await serveApi({ handlers: [reading] })
    const asked = request({
      host: '127.0.0.1',
      port: server.port,
      method: 'POST',
      path: `${stdinPath}?offset=7`,
      agent: false,
      headers: { Authorization: 'Bearer operator', ...octets },
    })
    const answered = once(asked, 'response') as Promise<[IncomingMessage]>
    let sent = 0
    while (asked.write(chunk)) sent++
    // Nobody reads yet: what the client may send ahead is what sockets hold.
    const drained = once(asked, 'drain')
    while (sent++ < 63) {
      if (sent === 2) go.resolve()
      if (!asked.write(chunk)) await (sent === 2 ? drained : once(asked, 'drain'))
    }
    go.resolve()
    asked.end()
    const [response] = await answered
    let text = ''
    for await (const part of response) text += part
    expect(JSON.parse(text)).toEqual({ written: 7 + 64 * chunk.length })
    const expected = createHash('sha256')
    for (let index = 0; index < 64; index++) expected.update(chunk)
    expect(received.digest('hex')).toBe(expected.digest('hex'))
  })

  test('are refused before their end where the handler refuses', async () => {
    const refusing = implement(writeStdin, async ({ run }, _context, body) => {
      for await (const _first of body) throw failure('run.stdin_closed', { run })
      return { written: 0 }
    })
    await using server = await serveApi({ handlers: [refusing] })
    const answer = await ask(server, {
      method: 'POST',
      path: stdinPath,
      token: 'operator',
      headers: octets,
      body: randomBytes(4 * 1024 * 1024),
    })
    expect(answer.json).toMatchObject({ status: 409, code: 'run.stdin_closed' })
  })

  test('take bytes only', async () => {
    await using server = await serveApi()
    const answer = await ask(server, { method: 'POST', path: stdinPath, token: 'operator', body: '{}' })
    expect(answer.json).toMatchObject({ status: 415, code: 'http.media_type' })
    expect(server.reached).toEqual([])
  })

  test('whose client goes away end at the handler', async () => {
    const ended = vi.fn<(error: unknown) => void>()
    const reading = implement(writeStdin, async (_input, _context, body) => {
      try {
        for await (const _bytes of body);
      } catch (error) {
        ended(error)
      }
      return { written: 0 }
    })
    await using server = await serveApi({ handlers: [reading] })
    const asked = request({
      host: '127.0.0.1',
      port: server.port,
      method: 'POST',
      path: stdinPath,
      agent: false,
      headers: { Authorization: 'Bearer operator', ...octets },
    })
    asked.on('error', () => undefined)
    asked.write('some')
    await eventually(() => expect(server.reached).toEqual(['run.stdin']))
    asked.destroy()
    await eventually(() => expect(ended).toHaveBeenCalledWith(expect.objectContaining({ code: 'call.cancelled' })))
  })
})

test('the zeros of a file are told and not sent, either way, to who asks for that; to others they are sent', async () => {
  const parts = [Buffer.from('begin'), Buffer.alloc(8 * 1024 * 1024), randomBytes(70_000)]
  const whole = Buffer.concat(parts)
  let got: Buffer | undefined
  const handlers = [
    implement(getFile, async function* () {
      yield* parts
    }),
    implement(putFile, async (_input, _context, body) => {
      const pieces: Uint8Array[] = []
      for await (const piece of body) pieces.push(piece)
      got = Buffer.concat(pieces)
      return { bytes: got.length }
    }),
  ]
  await using server = await serveApi({ handlers })
  const path = '/api/v1/hosts/box/file/bytes?path=file&version=1'
  const operator = { Authorization: 'Bearer operator' }
  const bytesOf = async (headers: Record<string, string>) => {
    const response = await open(server, path, { ...operator, ...headers })
    return { type: response.headers['content-type'], body: Buffer.concat(await response.toArray()) }
  }
  const told = await bytesOf({ Accept: sparseType })
  expect(told.type).toBe(sparseType)
  expect(told.body.length).toBeLessThan(200_000)
  expect(Buffer.concat(await Array.fromAsync(fromSparse([told.body]))).equals(whole)).toBe(true)
  expect((await bytesOf({})).body.equals(whole)).toBe(true)

  const client = connectHub({ url: `http://127.0.0.1:${server.port}`, token: 'operator' })
  const box = client.host('box')
  const read = await Array.fromAsync(box.bytes(getFile, { path: 'file', version: '1' }))
  expect(Buffer.concat(read).equals(whole)).toBe(true)
  const target = { path: 'file', transfer: '0'.repeat(32), offset: 0 }
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* parts
  }
  expect(await box.upload(putFile, target, source())).toEqual({ bytes: whole.length })
  expect(got?.equals(whole)).toBe(true)
  client.close()
})
