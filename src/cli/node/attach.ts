// `muster node attach`: what a hub runs here by ssh. Joins its standard input and output to this machine's node, starting that if there
// is none, and passes bytes until either side ends. Nothing else may be written to stdout after the marker.

import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { attachSocket, formatMarker } from '../../connectors/links.ts'
import { asMusterError } from '../../contract/errors.ts'
import { openHome } from '../home.ts'
import type { Action } from '../perform.ts'
import type { Terminal } from '../terminal.ts'
import { startDaemon } from './start-daemon.ts'

export const attach: Action<unknown, []> = async (terminal) => {
  const socket = await joinNode(terminal).catch(async (thrown: unknown) => {
    const error = asMusterError(thrown)
    await terminal.out(formatMarker({ error: error.toValue() }))
    throw error
  })
  await terminal.out(formatMarker({ joined: true }))
  await passBytes(terminal, socket)
  return { json: { left: true }, shown: true }
}

async function joinNode(terminal: Terminal): Promise<Socket> {
  const home = await openHome(terminal.env)
  const path = attachSocket(home.dir)
  return (await dial(path)) ?? (await startDaemon(terminal, home, join(home.dir, 'node'), () => dial(path)))
}

/** Undefined where nobody listens. */
function dial(path: string): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
  const socket = createConnection({ path })
  const nobody = () => resolve(undefined)
  socket.once('error', nobody)
  socket.once('connect', () => {
    socket.off('error', nobody)
    resolve(socket)
  })
  return promise
}

async function passBytes({ stdin, out }: Terminal, socket: Socket): Promise<void> {
  // A node that was killed: the end of what it sent says so.
  socket.on('error', () => undefined)
  stdin.on('error', () => socket.destroy())
  stdin.pipe(socket)
  try {
    for await (const piece of socket) await out(piece as Buffer)
  } finally {
    socket.destroy()
  }
}
