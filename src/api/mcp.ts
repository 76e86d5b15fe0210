// `/mcp`: a model's tools, for whoever a token lets in. This file turns requests into what the protocol's own server takes, and says as whom;
// each operation that a tool asks for is admitted as it is on its own route.

import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Operation } from '../contract/operation.ts'
import type { Asker, ToolFleet } from '../mcp/fleet.ts'
import { held } from '../mcp/held.ts'
import type { HttpTools } from '../mcp/http.ts'
import { softwareVersion } from '../wire/protocol.ts'
import { type Admission, requireAdmission } from './admission.ts'
import { acceptBodies } from './body.ts'
import type { InFlight } from './exchange.ts'
import type { HubPort } from './port.ts'
import { push } from './push.ts'

export const mcpPath = '/mcp'
export const mcpMethods = ['GET', 'POST', 'DELETE'] as const

export interface McpOf {
  readonly hub: HubPort
  readonly live: InFlight
  readonly admission: Admission
  readonly isLocal: (socket: Socket) => boolean
  readonly log: Logger
}

export interface McpDoor {
  /** Ends what models wait for; what they began goes on at its hosts as the reason says. */
  end(reason: MusterError): Promise<void>
}

/** A tool call may last, and what its token has asked for ends with the token. */
const lasting = { kind: 'call', reports: true } as const

/** As whom the news are read that subscribers are told of: they are the same for everybody who may read. */
const watcher: Principal = { kind: 'self', id: 'mcp', role: 'viewer', scopes: new Set(['read']) }

type Admit = (operation: Operation, host: string | undefined) => Promise<void>

export function addMcp(app: FastifyInstance, of: McpOf): McpDoor {
  const { hub, live, log } = of
  let opened: Promise<HttpTools> | undefined
  /** Loaded with the first request: most hubs are asked by no model. */
  const open = () => {
    opened ??= import('../mcp/http.ts').then(({ openHttpTools }) =>
      openHttpTools({
        version: softwareVersion,
        watcher: fleetOf(hub, watcher, async () => undefined),
        onError: (error) => log.debug({ err: error }, "a request of a model's client was refused, or broke off"),
      }),
    )
    return opened
  }

  app.register((scope, _options, done) => {
    acceptBodies(scope, 'json')
    scope.route({
      method: [...mcpMethods],
      url: mcpPath,
      exposeHeadRoute: false,
      config: { operation: mcpPath },
      async handler(request, reply) {
        const { principal } = request
        if (!principal) throw failure('auth.required')
        const tools = await open()
        const { signal } = live.enter(reply, isSubscription(request.body) ? { kind: 'items' } : lasting, principal.token?.ended)
        const response = await tools.answer(held(webRequest(request, signal), signal), request.body, {
          fleet: fleetOf(hub, principal, admitting(of, request, principal)),
          asker: askerOf(principal, isReadOnly(of, request)),
        })
        // What ended it from this side is said as on any route; who left hears nothing.
        if (signal.aborted) throw signal.reason
        return await send(response, reply, signal)
      },
    })
    done()
  })
  return {
    async end(reason) {
      const tools = await opened
      tools?.end(reason)
    },
  }
}

/** What is not admitted here never reaches the hub's own door, where refusals are noted: it is noted at this one. */
function admitting({ hub, admission, isLocal }: McpOf, request: FastifyRequest, principal: Principal): Admit {
  return async (operation, host) => {
    try {
      requireAdmission(admission, { operation, host, headers: request.headers, isLocal: isLocal(request.raw.socket) })
    } catch (error) {
      const address = request.raw.socket.remoteAddress ?? ''
      await hub.refused(asMusterError(error), { principal, address, operation: operation.name, host })
      throw error
    }
  }
}

/** The hub as this principal sees it. */
function fleetOf(hub: HubPort, principal: Principal, admit: Admit): ToolFleet {
  return {
    hub: admitted(direct(hub.offers, principal), undefined, admit),
    host: async (ref) => admitted(direct(await hub.host(ref), principal), ref, admit),
    asker: async () => askerOf(principal, false),
  }
}

/** `onlyReads`: he is shown no more than that; it is the admission that refuses the rest. */
function askerOf({ id, scopes, token }: Principal, onlyReads: boolean): Asker {
  return {
    id,
    scopes: onlyReads ? new Set([...scopes].filter((scope) => scope === 'read')) : scopes,
    ...(token && { ended: token.ended }),
  }
}

function admitted(caller: Caller, host: string | undefined, admit: Admit): Caller {
  return {
    async call(operation, input, options) {
      await admit(operation, host)
      return await caller.call(operation, input, options)
    },
    async *items(operation, input, options) {
      await admit(operation, host)
      yield* caller.items(operation, input, options)
    },
    async *bytes(operation, input, options) {
      await admit(operation, host)
      yield* caller.bytes(operation, input, options)
    },
    async upload(operation, input, body, options) {
      await admit(operation, host)
      return await caller.upload(operation, input, body, options)
    },
  }
}

function isReadOnly({ admission, isLocal }: McpOf, request: FastifyRequest): boolean {
  return admission.readOnly && !isLocal(request.raw.socket)
}

function isSubscription(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'method' in body && body.method === 'subscriptions/listen'
}

/** Its body is handed over beside it, parsed. */
function webRequest({ method, url, headers }: FastifyRequest, signal: AbortSignal): Request {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  )
  return new Request(new URL(url, 'http://hub'), { method, headers: given, signal })
}

async function send(response: Response, reply: FastifyReply, signal: AbortSignal): Promise<FastifyReply | undefined> {
  const headers = Object.fromEntries(response.headers)
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true || !response.body)
    return reply
      .code(response.status)
      .headers(headers)
      .send(await response.text())
  reply.hijack()
  reply.raw.writeHead(response.status, { ...headers, 'X-Accel-Buffering': 'no' })
  reply.raw.flushHeaders()
  await push(response.body, reply.raw, signal)
  return undefined
}
