import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/resources/eventually.ts'
import { failure } from '../../contract/errors.ts'
import type { Channel, Frame } from '../channel.ts'
import { channelKinds, openPair } from '../pairs.fixture.ts'
import { encodeHead } from './length-prefixed.ts'
import { socketPath } from './socket-path.ts'
import { dialUnix, listenUnix } from './unix.ts'
import { dialWebSocket } from './websocket.ts'

const over = failure('wire.closed', { reason: 'the test is over' })

function text(value: string): Frame {
  return { kind: 'text', text: value }
}

async function inDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-channel-'))
  try {
    await work(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

describe.each(channelKinds)('a %s channel', (kind) => {
  test('carries frames of both kinds in order, those too that came before there was a receiver', async () => {
    await using pair = await openPair(kind)
    pair.left.send(text('one'))
    pair.left.send({ kind: 'binary', bytes: Buffer.alloc(300_000, 7) })
    pair.left.send(text('zwei \u{1f680}'))
    const got: Frame[] = []
    // Taken away after each frame, so that the rest must be kept.
    const takeOne = () =>
      pair.right.receive((frame) => {
        pair.right.receive(undefined)
        got.push(frame)
      })
    for (let n = 1; n <= 3; n++) {
      takeOne()
      await eventually(() => expect(got.length).toBe(n))
    }
    expect([got[0], got[2]]).toEqual([text('one'), text('zwei \u{1f680}')])
    expect(Buffer.alloc(300_000, 7).equals((got[1] as Extract<Frame, { kind: 'binary' }>).bytes)).toBe(true)
  })

  test('is closed at once on the side that closes, soon on the other, with what was sent before', async () => {
    await using pair = await openPair(kind)
    const got: Frame[] = []
    pair.right.receive((frame) => got.push(frame))
    pair.left.send(text('last words'))
    const reason = failure('wire.protocol', { problem: 'a test' })
    pair.left.close(reason)
    pair.left.close(over)
    pair.left.send(text('nothing more'))
    expect(await pair.left.closed).toBe(reason)
    expect(await pair.right.closed).toMatchObject({ code: expect.stringMatching(/^wire\./) as string })
    expect(got).toEqual([text('last words')])
  })

  test('stops taking when nobody reads, and drains when somebody does', async () => {
    await using pair = await openPair(kind)
    for (let n = 0; n < 200; n++) pair.left.send({ kind: 'binary', bytes: Buffer.alloc(100_000) })
    expect(pair.left.bufferedBytes).toBeGreaterThan(1_000_000)
    let frames = 0
    pair.right.receive(() => {
      frames++
    })
    await pair.left.drained()
    expect(pair.left.bufferedBytes).toBeLessThan(200_000)
    await eventually(() => expect(frames).toBe(200))
  })

  test('ends a wait for room when it closes', async () => {
    await using pair = await openPair(kind)
    for (let n = 0; n < 200; n++) pair.left.send({ kind: 'binary', bytes: Buffer.alloc(100_000) })
    const drained = pair.left.drained()
    pair.left.close(over)
    await drained
  })
})

test('a WebSocket message over the limit closes it with a typed error', async () => {
  await using pair = await openPair('websocket')
  pair.right.receive(() => {})
  pair.left.receive(() => {})
  pair.left.send({ kind: 'binary', bytes: Buffer.alloc(1024 * 1024 + 1) })
  expect(await pair.right.closed).toMatchObject({ code: 'wire.protocol' })
  expect(await pair.left.closed).toMatchObject({ code: 'wire.closed' })
})

test('a frame over the limit on a socket is refused before it is there', () =>
  inDirectory(async (dir) => {
    const accepted = Promise.withResolvers<Channel>()
    await using listener = await listenUnix(join(dir, 's'), accepted.resolve)
    const raw = createConnection({ path: listener.path })
    const channel = await accepted.promise
    channel.receive(() => {})
    raw.write(encodeHead('binary', 2 ** 31))
    expect(await channel.closed).toMatchObject({ code: 'wire.too_large' })
    raw.destroy()
  }))

test('a dial that is refused says how', async () => {
  const server = createServer()
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await expect(dialWebSocket(`ws://127.0.0.1:${port}/`, { timeoutMs: 2_000 })).rejects.toMatchObject({
    code: 'wire.closed',
    message: expect.stringContaining('503') as string,
  })
  server.close()
  await expect(dialWebSocket(`ws://127.0.0.1:${port}/`, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: 'wire.closed' })
})

test('a dial that is not answered ends at its deadline, or when it is cancelled', async () => {
  const server = createServer()
  const sockets: { destroy(): void }[] = []
  server.on('upgrade', (_, socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
  await expect(dialWebSocket(url, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'call.deadline' })
  const cancelling = new AbortController()
  const dialling = dialWebSocket(url, { timeoutMs: 5_000, signal: cancelling.signal })
  await eventually(() => expect(sockets.length).toBe(2))
  cancelling.abort()
  await expect(dialling).rejects.toMatchObject({ code: 'call.cancelled' })
  for (const socket of sockets) socket.destroy()
  server.close()
})

test("a unix socket is this account's alone, and gone when it is closed", () =>
  inDirectory(async (dir) => {
    const path = join(dir, 's')
    const listener = await listenUnix(path, () => {})
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await listener.close()
    await listener.close()
    expect(existsSync(path)).toBe(false)
    await expect(dialUnix(path)).rejects.toMatchObject({ code: 'wire.closed', cause: { code: 'ENOENT' } })
  }))

test('a socket file that nobody answers is replaced; one that is answered is not', () =>
  inDirectory(async (dir) => {
    const path = join(dir, 's')
    await writeFile(path, '')
    await using first = await listenUnix(path, (channel) => channel.close(over))
    await expect(listenUnix(path, () => {})).rejects.toMatchObject({ code: 'home.locked' })
    const channel = await dialUnix(first.path)
    channel.receive(() => {})
    await channel.closed
  }))

test('a path too long for a socket moves to a directory of this account', async () => {
  expect(socketPath('/home/someone/.muster/host', 'keeper.sock')).toBe('/home/someone/.muster/host/keeper.sock')
  const home = `/home/${'x'.repeat(120)}`
  const path = socketPath(home, 'keeper.sock')
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100)
  expect(socketPath(home, 'keeper.sock')).toBe(path)
  expect(dirname(socketPath(`${home}y`, 'keeper.sock'))).not.toBe(dirname(path))
  await chmod(dirname(path), 0o755)
  socketPath(home, 'keeper.sock')
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
  for (const one of [home, `${home}y`]) await rm(dirname(socketPath(one, 's')), { recursive: true })
})
