// NATS request/reply: from this process through its server to a responder in a process of its own, JSON parsed at both ends.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '../../test/resources/free-port.ts'
import { until } from '../../test/resources/muster.ts'
import type { Answerer } from '../asking.ts'
import { question } from '../programs/question.ts'
import { startProgram } from '../programs/start.ts'
import { findProgram } from './installed.ts'
import { loadPeer } from './load.ts'

export const natsName = 'NATS request/reply'
/** The row where it is not there. */
export const natsMissing = { what: `beside ${natsName}`, skipped: 'nats-server or its client is not installed' }
export const subject = 'bench.apply'
const timeoutMs = 30_000

interface Message {
  json(): unknown
  respond(payload: string): boolean
}

interface Connection {
  request(subject: string, payload: string, options: { timeout: number }): Promise<Message>
  subscribe(subject: string, options: { callback: (error: Error | null, message: Message) => void }): unknown
  flush(): Promise<void>
  close(): Promise<void>
}

interface Nats {
  connect(options: { servers: string }): Promise<Connection>
}

export const loadNats = () => loadPeer<Nats>('@nats-io/transport-node')

/** Undefined where the server or the client's package is not installed. */
export async function startNats(): Promise<Answerer | undefined> {
  const [program, nats] = [await findProgram('nats-server'), await loadNats()]
  if (!program || !nats) return undefined
  await using opened = new AsyncDisposableStack()
  const port = await freePort()
  const server = spawn(program, ['--addr', '127.0.0.1', '--port', String(port)], { stdio: 'ignore' })
  const ended = once(server, 'close')
  opened.defer(async () => {
    server.kill()
    await ended
  })
  // Until it listens, connecting fails.
  const connection = await until('the NATS server listens', () =>
    nats.connect({ servers: `127.0.0.1:${port}` }).catch(() => undefined),
  )
  opened.defer(() => connection.close())
  const responder = opened.use(await startProgram('nats-responder.ts', [String(port)]))
  let lastId = 0
  const closing = opened.move()
  return {
    name: natsName,
    pids: [server.pid as number, responder.pid],
    async ask() {
      const message = JSON.stringify({ id: ++lastId, method: 'proc.apply', input: question })
      return (await connection.request(subject, message, { timeout: timeoutMs })).json()
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
