// A node that says whatever a test wants: it joins a real hub by the real handshake, and from then on the test has the channel.

import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import type { Channel } from '../../src/wire/channel.ts'
import { dialWebSocket } from '../../src/wire/channels/websocket.ts'
import { dialHandshake } from '../../src/wire/handshake.ts'
import { type Identity, temporaryIdentity } from '../../src/wire/identity.ts'
import { musterJson, type ServedHub } from '../resources/muster.ts'

export interface FalseNode {
  /** Joins, or joins again. */
  dial(): Promise<Channel>
}

export async function enrolFalseNode(hub: ServedHub, name: string): Promise<FalseNode> {
  const { token } = await musterJson<{ token: string }>(hub.home, ['node', 'enroll', name])
  const identity = temporaryIdentity()
  return { dial: () => join(hub, identity, token) }
}

async function join(hub: ServedHub, identity: Identity, credential: string): Promise<Channel> {
  const channel = await dialTunnel(hub)
  await dialHandshake(channel, { identity, role: 'node', software: 'false', timeoutMs: 30_000, credential })
  return channel
}

export function dialTunnel(hub: ServedHub): Promise<Channel> {
  return dialWebSocket(`${hub.url.replace('http', 'ws')}/api/v1/tunnel`, { timeoutMs: 30_000 })
}

/** A bare TCP connection to the hub. */
export function knock(hub: ServedHub): Promise<Socket> {
  const { hostname, port } = new URL(hub.url)
  const socket = connect({ host: hostname, port: Number(port) })
  // That it is cut is what is waited for, however it is cut.
  socket.on('error', () => {})
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)))
}

/** What a WebSocket client sends first. */
export function upgradeRequest(hub: ServedHub): string {
  return [
    'GET /api/v1/tunnel HTTP/1.1',
    `Host: ${new URL(hub.url).host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: muster.1',
    '',
    '',
  ].join('\r\n')
}

/** How many files and sockets a process has open. */
export async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}
