// A relay of whole messages between whoever dials and a hub, which repeats some of them at moments that the test draws: WebSocket
// messages either way, and HTTP requests. It stands for what sends again what had arrived. proxy.ts breaks the line below.

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

export interface DoublingProxy extends AsyncDisposable {
  readonly url: string
  /** How many messages and requests it has repeated. */
  readonly doubled: { readonly messages: number; readonly requests: number }
  /** WebSockets that have been made through it. */
  readonly connections: number
}

export interface Doubling {
  /** Whether this message, the `nth` of its connection and way, is sent twice. */
  readonly message?: (nth: number) => boolean
  /** Whether this request is sent twice: at once, its first answer being lost. */
  readonly request?: (asked: { method: string; path: string }) => boolean
}

export async function openDoublingProxy(
  target: string,
  { message = never, request: again = never }: Doubling,
): Promise<DoublingProxy> {
  const doubled = { messages: 0, requests: 0 }
  let connections = 0
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer((asked, response) => void pass(asked, response).catch(() => response.destroy()))
  server.on('upgrade', (asked, socket, head) => webSockets.handleUpgrade(asked, socket, head, (client) => join(client, asked)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function join(client: WebSocket, { url, headers }: IncomingMessage): void {
    connections++
    const hub = new WebSocket(`${target.replace(/^http/, 'ws')}${url}`, headers['sec-websocket-protocol'], {
      perMessageDeflate: false,
    })
    const opened = once(hub, 'open')
    // Told by 'close'.
    opened.catch(() => undefined)
    for (const [from, to] of [
      [client, hub],
      [hub, client],
    ] as const) {
      let nth = 0
      from.on('message', (data, isBinary) => {
        const times = message(nth++) ? 2 : 1
        doubled.messages += times - 1
        const send = () => {
          for (let time = 0; time < times && to.readyState === WebSocket.OPEN; time++)
            to.send(data as Buffer, { binary: isBinary })
        }
        if (to.readyState === WebSocket.CONNECTING) void opened.then(send, () => undefined)
        else send()
      })
      from.on('error', () => to.terminate())
      from.on('close', (code, reason) => {
        if (to.readyState !== WebSocket.OPEN) to.terminate()
        else if (code === 1000 || code >= 4000) to.close(code, reason)
        else to.terminate()
      })
    }
  }

  async function pass(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = asked
    const parts: Buffer[] = []
    for await (const part of asked) parts.push(part as Buffer)
    const send = async () => {
      const sent = request(new URL(url, target), { method, headers, agent: false })
      sent.end(Buffer.concat(parts))
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return answer
    }
    const isDoubled = again({ method, path: url })
    const lost = isDoubled ? send() : undefined
    const answer = await send()
    if (isDoubled) doubled.requests++
    ;(await lost)?.resume()
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    doubled,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const client of webSockets.clients) client.terminate()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function never(): boolean {
  return false
}
