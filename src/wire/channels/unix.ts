// The channel over a unix socket, between processes of one account on one machine. Who may open the socket's directory may speak.

import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { failure } from '../../contract/errors.ts'
import type { Channel } from '../channel.ts'
import { type FrameBound, lengthPrefixedChannel } from './length-prefixed.ts'

/** Dials. Rejects with `wire.closed`, its cause saying which system error. */
export function dialUnix(path: string, bound?: FrameBound): Promise<Channel> {
  const { promise, resolve, reject } = Promise.withResolvers<Channel>()
  const socket = createConnection({ path })
  const refuse = (error: Error) => reject(failure('wire.closed', { reason: error.message }, { cause: error }))
  socket.once('error', refuse)
  socket.once('connect', () => {
    socket.off('error', refuse)
    resolve(lengthPrefixedChannel(socket, socket, bound))
  })
  return promise
}

export interface UnixListener extends AsyncDisposable {
  readonly path: string
  /** Takes no further connections and removes the socket; open channels stay open. */
  close(): Promise<void>
}

/**
 * Listens on a socket that only this account can open (0600). A socket file that a dead process left is replaced;
 * one that is answered is `home.locked`.
 */
export async function listenUnix(path: string, onChannel: (channel: Channel) => void, bound?: FrameBound): Promise<UnixListener> {
  const server = createServer((socket) => onChannel(lengthPrefixedChannel(socket, socket, bound)))
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  try {
    await listen()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw failure('home.unusable', { path, problem: (error as Error).message }, { cause: error })
    }
    if (await isAnswered(path)) throw failure('home.locked', { path })
    rmSync(path, { force: true })
    await listen()
  }
  chmodSync(path, 0o600)
  // A connection that cannot be taken (no file descriptors left) is told to its dialler by the system; listening goes on.
  server.on('error', () => {})

  // Not the server's own callback, which waits for open connections too.
  async function close(): Promise<void> {
    if (server.listening) server.close()
  }
  return { path, close, [Symbol.asyncDispose]: close }
}

function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = createConnection({ path })
  probe.once('connect', () => resolve(true))
  probe.once('error', () => resolve(false))
  return promise.finally(() => probe.destroy())
}
