// A real API on a free port and a socket, in front of a hub made of handlers: what the API's and the SDK's tests share.

import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { startApi } from '../../src/api/api.ts'
import type { HubPort } from '../../src/api/port.ts'
import type { ListenerTls } from '../../src/api/tls.ts'
import { failure } from '../../src/contract/errors.ts'
import { type Bound, type Implementation, implement, implementation, type Principal } from '../../src/contract/implementation.ts'
import type { Operation } from '../../src/contract/operation.ts'
import { hostOperations, hubOperations } from '../../src/contract/operations.ts'
import { type Role, roleScopes } from '../../src/contract/token.ts'

export interface ApiServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly socketPath: string
  /** Names of the operations whose handlers were reached, in order. */
  readonly reached: string[]
  readonly logged: string[]
  readonly close: () => Promise<void>
}

export type HubParts = Partial<Omit<HubPort, 'offers' | 'host'>> & {
  readonly handlers?: readonly Bound[]
  readonly port?: number
  readonly allowHosts?: readonly string[]
  readonly readOnly?: boolean
  readonly tls?: ListenerTls
}

/** Tokens are the roles' names: `operator`, `viewer`, `node`. The hosts are `box` and `local`. */
export async function serveApi({
  handlers = [],
  port = 0,
  allowHosts = ['hub.example'],
  readOnly = false,
  tls,
  ...parts
}: HubParts = {}): Promise<ApiServer> {
  const reached: string[] = []
  const logged: string[] = []
  const dir = await mkdtemp(join(tmpdir(), 'muster-api-'))
  const socketPath = join(dir, 'own', 'hub.sock')
  const hub: HubPort = {
    id: 'hub-under-test',
    offers: answersTo(hubOperations, handlers, reached),
    async host(ref) {
      if (ref !== 'box' && ref !== 'local') throw failure('host.unknown', { host: ref })
      return answersTo(hostOperations, handlers, reached)
    },
    authenticate: async (token) => (Object.hasOwn(roleScopes, token) ? principalOf(token as Role) : undefined),
    approvalLinks: { look: noLink, answer: noLink },
    refused: async () => {},
    acceptTunnel: (channel) => channel.close(failure('node.unknown')),
    acceptPairing: (channel) => channel.close(failure('pairing.rejected')),
    checkReady: async () => {},
    metrics: async () => '# HELP muster_hosts Hosts.\n# TYPE muster_hosts gauge\nmuster_hosts 1\n',
    ...parts,
  }
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) })
  const api = await startApi({ hub, bind: { host: '127.0.0.1', port }, tls, socketPath, allowHosts, readOnly, log })
  const url = api.urls[0] as string
  return {
    url,
    port: Number(new URL(url).port),
    socketPath,
    reached,
    logged,
    close: api.close,
    async [Symbol.asyncDispose]() {
      await api.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function noLink(): Promise<never> {
  throw failure('approval.link_invalid')
}

function principalOf(role: Role): Principal {
  return { kind: role === 'node' ? 'node' : 'user', id: `tok_${role}`, role, scopes: new Set(roleScopes[role]) }
}

/** A handler for each operation: the given ones, and for the rest one that answers its own input. */
function answersTo(operations: readonly Operation[], handlers: readonly Bound[], reached: string[]): Implementation {
  const bound = operations.map((operation) => handlers.find((one) => one.operation === operation) ?? echo(operation))
  return implementation(
    ...bound.map(
      ({ operation, handle }): Bound => ({
        operation,
        handle(...given) {
          reached.push(operation.name)
          return handle(...given)
        },
      }),
    ),
  )
}

function echo(operation: Operation): Bound {
  async function* nothing() {}
  return implement(operation, ((input: unknown) =>
    operation.kind === 'items' || operation.kind === 'bytes' ? nothing() : Promise.resolve(input)) as never)
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: Record<string, unknown>
}

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly token?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  /** Over the local socket instead of TCP. */
  readonly local?: boolean
}

/** One whole request and answer, with nothing added to it that the test does not say. */
export function ask(server: ApiServer, { method = 'GET', path, token, headers = {}, body, local = false }: Ask): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const where = local ? { socketPath: server.socketPath } : { host: '127.0.0.1', port: server.port }
  const asked = request(
    {
      ...where,
      method,
      path,
      agent: false,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(typeof body === 'string' && { 'Content-Type': 'application/json' }),
        ...headers,
      },
    },
    (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const isJson =
          /json/.test(response.headers['content-type'] ?? '') && !/ndjson/.test(response.headers['content-type'] ?? '')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson && text ? JSON.parse(text) : {},
        })
      })
    },
  )
  asked.on('error', reject)
  asked.end(body)
  return promise
}
