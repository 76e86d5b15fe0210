// What a proc program runs: it dials its host, calls back, and answers messages until it is asked to end.
// Used by programs that are applied as procs; it knows the backend socket and nothing else of the host.

import { failure, hasCode, type MusterError } from '../../contract/errors.ts'
import { implement, implementation, type Principal } from '../../contract/implementation.ts'
import { dialUnix } from '../../wire/channels/unix.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'
import { keepConnected } from '../../wire/reconnect.ts'
import { backendVariable, endProc, messageProc, procVariable, readyProc, secretVariable } from './message.ts'

export type ProcHandlers = Readonly<Record<string, (params: unknown) => Promise<unknown>>>

/** The longest wait between dials: a refused one costs next to nothing here, and calls wait for the host to have its procs back. */
const redialMs = 1_000

const host: Principal = { kind: 'self', id: 'host', role: 'host', scopes: new Set(['operate']) }

/**
 * Calls back to the host and answers its messages with `handlers`, by method. Resolves when the host asks the proc to end: then
 * finish and return. A host that was restarted is dialled again. Rejects when the host does not know this proc (any more).
 */
export async function serveProc(handlers: ProcHandlers): Promise<void> {
  const backend = take(backendVariable)
  const proc = take(procVariable)
  const secret = take(secretVariable)
  const ending = new AbortController()

  const offers = implementation(
    implement(messageProc, async ({ method, params }) => {
      const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined
      if (!handler) throw failure('operation.unknown', { operation: method })
      return handler(params)
    }),
    implement(endProc, async () => {
      // After the answer has gone out.
      setImmediate(() => ending.abort())
      return {}
    }),
  )

  async function connect(): Promise<Peer> {
    const peer = createPeer(await dialUnix(backend), { offers, principal: host, name: 'host' })
    try {
      await peer.call(readyProc, { proc, secret })
    } catch (error) {
      peer.close(failure('wire.closed', { reason: 'the host refused the call back' }))
      throw error
    }
    return peer
  }

  let current: Peer | undefined
  await keepConnected({
    connect,
    onConnected: (peer: Peer) => {
      current = peer
    },
    isFinal: (error: MusterError) => hasCode(error, 'proc.unknown') || hasCode(error, 'proc.ended'),
    signal: ending.signal,
    maxMs: redialMs,
  })
  current?.close(failure('wire.closed', { reason: 'the proc is ending' }))
}

/** Takes a variable out of the environment, so that what this proc starts does not inherit it. */
function take(name: string): string {
  const value = process.env[name]
  if (value === undefined)
    throw failure('input.invalid', { what: name, problem: 'this program is started by a Muster host, as a proc' })
  delete process.env[name]
  return value
}
