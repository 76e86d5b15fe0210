// For tests: two joined channels of each kind, real sockets and pipes where the kind has them, and how to close what they opened.

import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { WebSocketServer } from 'ws'
import { failure } from '../contract/errors.ts'
import type { Channel } from './channel.ts'
import { memoryChannels } from './channels/memory.ts'
import { stdioChannel } from './channels/stdio.ts'
import { dialUnix, listenUnix } from './channels/unix.ts'
import { dialWebSocket, webSocketChannel } from './channels/websocket.ts'

export interface Pair extends AsyncDisposable {
  readonly left: Channel
  readonly right: Channel
}

export const channelKinds = ['memory', 'stdio', 'unix', 'websocket'] as const
export type ChannelKind = (typeof channelKinds)[number]

export function openPair(kind: ChannelKind): Promise<Pair> {
  switch (kind) {
    case 'memory':
      return memoryPair()
    case 'stdio':
      return stdioPair()
    case 'unix':
      return unixPair()
    case 'websocket':
      return webSocketPair()
  }
}

async function memoryPair(): Promise<Pair> {
  const [left, right] = memoryChannels()
  return pair(left, right, async () => {})
}

async function stdioPair(): Promise<Pair> {
  const [there, back] = [new PassThrough(), new PassThrough()]
  return pair(stdioChannel({ input: back, output: there }), stdioChannel({ input: there, output: back }), async () => {})
}

async function unixPair(): Promise<Pair> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-wire-'))
  const accepted = Promise.withResolvers<Channel>()
  const listener = await listenUnix(join(dir, 's'), accepted.resolve)
  const left = await dialUnix(listener.path)
  return pair(left, await accepted.promise, async () => {
    await listener.close()
    await rm(dir, { recursive: true })
  })
}

async function webSocketPair(): Promise<Pair> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, maxPayload: 1024 * 1024 })
  await new Promise((resolve) => server.once('listening', resolve))
  const accepted = Promise.withResolvers<Channel>()
  server.once('connection', (webSocket, request) => accepted.resolve(webSocketChannel(webSocket, request.socket)))
  const { port } = server.address() as AddressInfo
  const left = await dialWebSocket(`ws://127.0.0.1:${port}/`, { timeoutMs: 5_000 })
  return pair(left, await accepted.promise, () => new Promise((resolve) => server.close(() => resolve())))
}

function pair(left: Channel, right: Channel, close: () => Promise<void>): Pair {
  return {
    left,
    right,
    async [Symbol.asyncDispose]() {
      const over = failure('wire.closed', { reason: 'the test is over' })
      left.close(over)
      right.close(over)
      await close()
    },
  }
}
