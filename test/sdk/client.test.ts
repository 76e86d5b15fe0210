// The client against a real API: each kind of operation, errors as the hub's own, and reads that survive a cut connection.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import { followEvents, type RunEvent } from '../../src/contract/event.ts'
import { findRun, getHubInfo, listFleetRuns, submitRun } from '../../src/contract/fleet.ts'
import { removeHost } from '../../src/contract/host.ts'
import { implement } from '../../src/contract/implementation.ts'
import { feedOutput, readOutput } from '../../src/contract/output.ts'
import { cancelRun, type Run, writeStdin } from '../../src/contract/run.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { type ApiServer, type HubParts, serveApi as serve } from '../api/api-server.ts'
import { eventually } from '../resources/eventually.ts'
import { openProxy } from '../resources/proxy.ts'

/** The relay's port is not the hub's, as behind any proxy. */
const serveApi = (parts?: HubParts) => serve({ allowHosts: ['127.0.0.1'], ...parts })

const run: Run = {
  id: 'r1',
  host: 'box',
  kind: 'command',
  state: 'running',
  title: 'a',
  parent: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: null,
  endedAt: null,
  pid: null,
  exit: null,
  error: null,
  output: { stdout: 0, stderr: 0 },
  lastEvent: 0,
  unreachableSince: null,
}

function eventNumber(seq: number): RunEvent {
  return { seq, at: '2026-01-01T00:00:00.000Z', type: 'state', state: 'running' }
}

function clientOf({ url }: { url: string }, token = 'operator'): HubClient & Disposable {
  const client = connectHub({ url, token })
  return { ...client, [Symbol.dispose]: client.close }
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

test('asks over the socket without a token', async () => {
  await using server = await serveApi({ handlers: [implement(findRun, async () => run)] })
  const client = connectHub({ socketPath: server.socketPath })
  expect(await client.hub.call(findRun, { run: 'r1' })).toEqual(run)
  client.close()
})

test('input arrives as it was given, from the path, the query and the body', async () => {
  const seen: unknown[] = []
  await using server = await serveApi({
    handlers: [
      implement(cancelRun, async (input) => {
        seen.push(input)
        return run
      }),
      implement(listFleetRuns, async (input) => {
        seen.push(input)
        return { runs: [], next: null, unanswered: [] }
      }),
      implement(removeHost, async (input) => {
        seen.push(input)
        return { removed: input.host, leftInKeychain: null }
      }),
      implement(submitRun, async (input) => {
        seen.push(input.spec)
        return run
      }),
    ],
  })
  using client = clientOf(server)
  await client.host('box').call(cancelRun, { run: 'r1', graceMs: 5 })
  await client.hub.call(listFleetRuns, { states: ['running'], limit: 7 })
  await client.hub.call(listFleetRuns, { states: ['running', 'failed'] })
  await client.hub.call(removeHost, { host: 'café /%2F?#', force: true })
  await client.hub.call(submitRun, { spec: { kind: 'command', argv: ['a', 'é"\n'], env: { A: '' } } })
  expect(seen).toMatchObject([
    { run: 'r1', graceMs: 5 },
    { states: ['running'], limit: 7, deadlineMs: 2000 },
    { states: ['running', 'failed'] },
    { host: 'café /%2F?#', force: true },
    { argv: ['a', 'é"\n'], env: { A: '' } },
  ])
})

test("the hub's errors keep their code, sentence, hint and exit code", async () => {
  await using server = await serveApi({
    handlers: [
      implement(findRun, async (input) => {
        throw failure('run.unknown', { run: input.run })
      }),
    ],
  })
  using client = clientOf(server)
  const expected = failure('run.unknown', { run: 'r9' })
  const { code, message, hint, exit, status, retryable } = expected
  await expect(client.hub.call(findRun, { run: 'r9' })).rejects.toMatchObject({ code, message, hint, exit, status, retryable })
  await expect(clientOf(server, 'viewer').hub.call(removeHost, { host: 'x' })).rejects.toMatchObject({ code: 'auth.forbidden' })
  await expect(clientOf(server, 'nobody').hub.call(findRun, { run: 'r9' })).rejects.toMatchObject({ code: 'auth.invalid' })
  await expect(collect(client.host('nowhere').items(followEvents, { run: 'r1' }))).rejects.toMatchObject({ code: 'host.unknown' })
  await expect(collect(client.host('nowhere').bytes(readOutput, { run: 'r1' }))).rejects.toMatchObject({ code: 'host.unknown' })
})

test("an answer that is not the operation's is refused, and so is what is no hub", async () => {
  await using server = await serveApi({ handlers: [implement(findRun, async () => ({ id: 'r1' }) as never)] })
  await expect(clientOf(server).hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({ code: 'wire.protocol' })
  let status = 200
  const other = createServer((_request, response) => response.writeHead(status).end('<html>')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  using client = clientOf({ url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` })
  await expect(client.hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({ code: 'wire.protocol' })
  status = 404
  await expect(client.hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({
    code: 'wire.protocol',
    message: expect.stringContaining('404'),
  })
  // A proxy whose hub is away for a moment: not known what became of it, and worth another try.
  status = 502
  await expect(client.hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({
    code: 'wire.closed',
    retryable: true,
    message: expect.stringContaining('502'),
  })
  client.close()
  other.close()
})

test('where no hub is, that is said at once, for every kind', async () => {
  await using server = await serveApi()
  const { url } = server
  await server.close()
  using client = clientOf({ url })
  const missing = { code: 'hub.not_running', message: expect.stringContaining(url) }
  await expect(client.hub.call(getHubInfo, {})).rejects.toMatchObject(missing)
  await expect(collect(client.host('box').items(followEvents, { run: 'r1', follow: true }))).rejects.toMatchObject(missing)
  await expect(collect(client.host('box').bytes(readOutput, { run: 'r1' }))).rejects.toMatchObject(missing)
  await expect(client.host('box').upload(writeStdin, { run: 'r1' }, bytesOf(randomBytes(10)))).rejects.toMatchObject(missing)
  const socketPath = join(tmpdir(), 'muster-no-such.sock')
  await expect(connectHub({ socketPath }).hub.call(getHubInfo, {})).rejects.toMatchObject({
    code: 'hub.not_running',
    message: expect.stringContaining(socketPath),
  })
})

async function* bytesOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

/** A call that never ends by itself; `ended` hears that it was cancelled. */
async function serveEndless(ended: (reason: unknown) => void): Promise<ApiServer> {
  return serveApi({
    handlers: [
      implement(findRun, async (_input, { signal }) => {
        await once(signal, 'abort')
        ended(signal.reason)
        throw signal.reason
      }),
      implement(followEvents, async function* (_input, { signal }) {
        await once(signal, 'abort')
        ended(signal.reason)
        yield* []
      }),
    ],
  })
}

test.each(['call', 'items'] as const)('a deadline ends a %s here and there', async (kind) => {
  const ended = vi.fn<(reason: unknown) => void>()
  await using server = await serveEndless(ended)
  using client = clientOf(server)
  const options = { timeoutMs: 400 }
  const asked =
    kind === 'call'
      ? client.hub.call(findRun, { run: 'r1' }, options)
      : collect(client.host('box').items(followEvents, { run: 'r1' }, options))
  await expect(asked).rejects.toMatchObject({ code: 'call.deadline' })
  await eventually(() => expect(ended).toHaveBeenCalledOnce())
})

test.each(['call', 'items'] as const)('cancelling ends a %s at once, here and there', async (kind) => {
  const ended = vi.fn<(reason: unknown) => void>()
  await using server = await serveEndless(ended)
  using client = clientOf(server)
  const leaving = new AbortController()
  const options = { signal: leaving.signal }
  const asked =
    kind === 'call'
      ? client.hub.call(findRun, { run: 'r1' }, options)
      : collect(client.host('box').items(followEvents, { run: 'r1' }, options))
  const refused = expect(asked).rejects.toMatchObject({ code: 'call.cancelled' })
  await eventually(() => expect(server.reached).toHaveLength(1))
  leaving.abort()
  await refused
  await eventually(() => expect(ended).toHaveBeenCalledOnce())
  await expect(client.hub.call(findRun, { run: 'r1' }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'call.cancelled',
  })
  expect(server.reached).toHaveLength(1)
})

test('closing ends what is in flight', async () => {
  await using server = await serveEndless(() => undefined)
  using client = clientOf(server)
  const asked = expect(client.hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({ code: 'wire.closed' })
  await eventually(() => expect(server.reached).toHaveLength(1))
  client.close()
  await asked
})

test('leaving a stream early ends it at its source', async () => {
  const ended = vi.fn<() => void>()
  await using server = await serveApi({
    handlers: [
      implement(followEvents, async function* (_input, { signal }) {
        yield eventNumber(1)
        await once(signal, 'abort')
        ended()
      }),
    ],
  })
  using client = clientOf(server)
  for await (const { seq } of client.host('box').items(followEvents, { run: 'r1', follow: true })) {
    expect(seq).toBe(1)
    break
  }
  await eventually(() => expect(ended).toHaveBeenCalledOnce())
})

test('uploads arrive whole and are answered', async () => {
  const received: Uint8Array[] = []
  await using server = await serveApi({
    handlers: [
      implement(writeStdin, async ({ offset }, _context, body) => {
        let written = offset
        for await (const bytes of body) {
          received.push(Uint8Array.from(bytes))
          written += bytes.length
        }
        return { written }
      }),
    ],
  })
  using client = clientOf(server)
  const sent = Array.from({ length: 40 }, () => randomBytes(256 * 1024))
  expect(await client.host('box').upload(writeStdin, { run: 'r1', offset: 3 }, bytesOf(...sent))).toEqual({
    written: 3 + 40 * 256 * 1024,
  })
  expect(sha256(...received)).toBe(sha256(...sent))
})

test('an upload that is refused says why and asks its source for no more', async () => {
  await using server = await serveApi({
    handlers: [
      implement(writeStdin, async ({ run: id }) => {
        throw failure('run.stdin_closed', { run: id })
      }),
    ],
  })
  using client = clientOf(server)
  const stopped = vi.fn<() => void>()
  async function* endless() {
    try {
      for (;;) yield randomBytes(64 * 1024)
    } finally {
      stopped()
    }
  }
  await expect(client.host('box').upload(writeStdin, { run: 'r1' }, endless())).rejects.toMatchObject({
    code: 'run.stdin_closed',
  })
  await eventually(() => expect(stopped).toHaveBeenCalledOnce())
})

test('an upload that is answered early ends, though its source is waiting', async () => {
  await using server = await serveApi({
    handlers: [
      implement(writeStdin, async (_input, _context, body) => {
        for await (const bytes of body) return { written: bytes.length }
        return { written: 0 }
      }),
    ],
  })
  using client = clientOf(server)
  const left = vi.fn<() => void>()
  const waiting: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]() {
      let given = false
      return {
        next() {
          if (given) return new Promise(() => {})
          given = true
          return Promise.resolve({ done: false, value: randomBytes(7) })
        },
        async return() {
          left()
          return { done: true, value: undefined }
        },
      }
    },
  }
  expect(await client.host('box').upload(writeStdin, { run: 'r1' }, waiting)).toEqual({ written: 7 })
  await eventually(() => expect(left).toHaveBeenCalledOnce())
  await expect(client.host('nowhere').upload(writeStdin, { run: 'r1' }, waiting)).rejects.toMatchObject({ code: 'host.unknown' })
})

test("an upload whose source fails sends no end and fails with the source's error", async () => {
  const ends = vi.fn<(error: unknown) => void>()
  await using server = await serveApi({
    handlers: [
      implement(writeStdin, async (_input, _context, body) => {
        await collect(body).catch(ends)
        return { written: 0 }
      }),
    ],
  })
  using client = clientOf(server)
  async function* broken() {
    yield randomBytes(10)
    await eventually(() => expect(server.reached).toEqual(['run.stdin']))
    throw failure('file.unreadable', { file: 'x', problem: 'it is gone' })
  }
  await expect(client.host('box').upload(writeStdin, { run: 'r1' }, broken())).rejects.toMatchObject({ code: 'file.unreadable' })
  await eventually(() => expect(ends).toHaveBeenCalledWith(expect.objectContaining({ code: 'call.cancelled' })))
})

test('items go on after cuts, without a gap and without a repeat', async () => {
  const total = 3000
  await using server = await serveApi({
    handlers: [
      implement(followEvents, async function* ({ after }) {
        for (let seq = after + 1; seq <= total; seq++) yield eventNumber(seq)
      }),
    ],
  })
  await using proxy = await openProxy(server.url, { cutAfterBytes: 40_000 })
  using client = clientOf(proxy)
  const items = await collect(client.host('box').items(followEvents, { run: 'r1', after: 5, follow: true }))
  expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: total - 5 }, (_, index) => index + 6))
  expect(proxy.connections).toBeGreaterThan(3)
})

test('following goes on while the hub is away for a moment', async () => {
  const last = { seq: 1 }
  const grew = new EventTarget()
  await using server = await serveApi({
    handlers: [
      implement(followEvents, async function* ({ after }, { signal }) {
        for (let seq = after + 1; !signal.aborted; seq++) {
          while (seq > last.seq) await once(grew, 'grew', { signal })
          yield eventNumber(seq)
          if (seq === 3) return
        }
      }),
    ],
  })
  await using proxy = await openProxy(server.url)
  using client = clientOf(proxy)
  const seen: number[] = []
  const reading = (async () => {
    for await (const { seq } of client.host('box').items(followEvents, { run: 'r1', follow: true })) seen.push(seq)
  })()
  await eventually(() => expect(seen).toEqual([1]))
  proxy.refuse()
  last.seq = 3
  grew.dispatchEvent(new Event('grew'))
  proxy.mend()
  await reading
  expect(seen).toEqual([1, 2, 3])
})

test('an error of the hub in the middle of a stream is thrown, not tried again', async () => {
  await using server = await serveApi({
    handlers: [
      implement(followEvents, async function* () {
        yield eventNumber(1)
        throw failure('store.unavailable', { problem: 'the disk is full' })
      }),
    ],
  })
  using client = clientOf(server)
  await expect(collect(client.host('box').items(followEvents, { run: 'r1' }))).rejects.toMatchObject({
    code: 'store.unavailable',
  })
  expect(server.reached).toHaveLength(1)
})

test.each([undefined, 1_500_000])('bytes (limit %s) go on after cuts, at the byte where they stopped', async (limit) => {
  const content = randomBytes(2_000_000)
  await using server = await serveApi({
    handlers: [
      implement(readOutput, async function* ({ offset, limit: most }) {
        const rest = content.subarray(offset, most === undefined ? undefined : offset + most)
        for (let at = 0; at < rest.length; at += 50_000) yield rest.subarray(at, at + 50_000)
      }),
    ],
  })
  await using proxy = await openProxy(server.url, { cutAfterBytes: 300_000 })
  using client = clientOf(proxy)
  const got = await collect(
    client.host('box').bytes(readOutput, { run: 'r1', offset: 11, ...(limit !== undefined && { limit }) }),
  )
  expect(sha256(...got)).toBe(sha256(content.subarray(11, limit === undefined ? undefined : 11 + limit)))
  expect(proxy.connections).toBeGreaterThan(3)
})

test('bytes without an offset are not guessed at after a cut', async () => {
  await using server = await serveApi({
    handlers: [
      implement(feedOutput, async function* () {
        for (let index = 0; index < 100; index++) yield randomBytes(50_000)
      }),
    ],
  })
  await using proxy = await openProxy(server.url, { cutAfterBytes: 300_000 })
  using client = clientOf(proxy)
  await expect(collect(client.host('box').bytes(feedOutput, { run: 'r1' }))).rejects.toMatchObject({ code: 'wire.closed' })
  expect(server.reached).toHaveLength(1)
})

test('a call whose connection breaks is not sent again', async () => {
  await using server = await serveEndless(() => undefined)
  await using proxy = await openProxy(server.url)
  using client = clientOf(proxy)
  const asked = expect(client.hub.call(findRun, { run: 'r1' })).rejects.toMatchObject({ code: 'wire.closed' })
  await eventually(() => expect(server.reached).toHaveLength(1))
  proxy.cut()
  await asked
  expect(server.reached).toHaveLength(1)
})

test.each([
  { what: 'an answer', status: 200, begin: '"', mebi: 16, ask: ({ hub }: HubClient) => hub.call(getHubInfo, {}) },
  { what: 'an error', status: 500, begin: '"', mebi: 16, ask: ({ hub }: HubClient) => hub.call(getHubInfo, {}) },
  {
    what: 'an event',
    status: 200,
    begin: 'data: ',
    mebi: 8,
    ask: (client: HubClient) => collect(client.host('box').items(followEvents, { run: 'r1', follow: true })),
  },
])('$what without an end is given up at its limit, and its connection is cut', async ({ status, begin, mebi, ask }) => {
  const piece = Buffer.alloc(256 * 1024, 'x')
  let sent = 0
  const cut = Promise.withResolvers<void>()
  const endless = createServer((_request, response) => {
    response.writeHead(status)
    response.write(begin)
    response.once('close', cut.resolve)
    const pour = () => {
      while (!response.closed && sent < 1 << 30) {
        sent += piece.length
        if (!response.write(piece)) return void response.once('drain', pour)
      }
    }
    pour()
  })
  await once(endless.listen(0, '127.0.0.1'), 'listening')
  try {
    using client = clientOf({ url: `http://127.0.0.1:${(endless.address() as AddressInfo).port}` })
    await expect(ask(client)).rejects.toMatchObject({ code: 'wire.too_large' })
    await cut.promise
    expect(sent).toBeLessThan((mebi + 32) * 1024 * 1024)
  } finally {
    endless.close()
  }
})
