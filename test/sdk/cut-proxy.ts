// A TCP relay between a client and a server that a test can cut, stall or take away.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CutProxy extends AsyncDisposable {
  readonly url: string
  /** Breaks every connection that is open now. */
  cut(): void
  /** How many connections have been made through it. */
  readonly connections: number
  /** Breaks the connections and refuses new ones until `back`. */
  leave(): Promise<void>
  back(): Promise<void>
}

/** `cutAfterBytes`: each connection is broken once so many bytes have come back through it. */
export async function cutProxy(target: number, { cutAfterBytes = Number.POSITIVE_INFINITY } = {}): Promise<CutProxy> {
  const open = new Set<Socket>()
  let connections = 0
  const make = () =>
    createServer((client) => {
      connections++
      const server = connect(target, '127.0.0.1')
      let passed = 0
      const end = () => {
        client.destroy()
        server.destroy()
      }
      for (const socket of [client, server]) {
        open.add(socket)
        socket.on('error', end)
        socket.on('close', () => {
          open.delete(socket)
          end()
        })
      }
      client.pipe(server)
      server.on('data', (chunk) => {
        const rest = cutAfterBytes - passed
        passed += chunk.length
        if (rest < chunk.length) {
          server.pause()
          client.write(chunk.subarray(0, rest), end)
        } else if (!client.write(chunk)) {
          server.pause()
          client.once('drain', () => server.resume())
        }
      })
    })
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  let listening = make()
  await once(listening.listen(0, '127.0.0.1'), 'listening')
  const { port } = listening.address() as AddressInfo
  const leave = async () => {
    const closed = once(listening, 'close')
    listening.close()
    cut()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    leave,
    get connections() {
      return connections
    },
    async back() {
      listening = make()
      await once(listening.listen(port, '127.0.0.1'), 'listening')
    },
    [Symbol.asyncDispose]: leave,
  }
}
