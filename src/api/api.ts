// The HTTP API: assembles routes, identity, streams and the tunnel's door around a hub, and opens and closes them.
// It knows operations only through the contract: a new one is served, documented and guarded without a line here.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { failure } from '../contract/errors.ts'
import { approvalLinkPath } from '../contract/http.ts'
import type { Principal } from '../contract/implementation.ts'
import { addApprovalLink } from './approval-link.ts'
import { authOf } from './auth.ts'
import { limitConnections } from './crowd.ts'
import { descriptorLimit, descriptorShares } from './descriptors.ts'
import { inFlight } from './exchange.ts'
import { httpServer, httpsServer, listenTcp, listenUnix } from './listen.ts'
import { addMcp, mcpMethods, mcpPath } from './mcp.ts'
import { httpMetrics } from './metrics.ts'
import { answerMissing } from './missing.ts'
import { addOperations, hasHead } from './operations.ts'
import { originCheck } from './origin.ts'
import type { HubPort } from './port.ts'
import { bodyLimitBytes, explain, sendProblem } from './problem.ts'
import { noteRefusal } from './refusal.ts'
import { routes } from './routes.ts'
import { addSystemRoutes, openPaths, systemPaths } from './system.ts'
import type { ListenerTls } from './tls.ts'
import { tunnelDoor } from './tunnel.ts'

export interface ApiOptions {
  readonly hub: HubPort
  /** Port 0 takes a free one. Whether an address needs a token is decided before (`isLoopback`): here TCP always needs one. */
  readonly bind: { readonly host: string; readonly port: number }
  /** With it TLS ends here; without it TCP is plain HTTP. */
  readonly tls?: ListenerTls | undefined
  /** Its user is an operator. At most 100 bytes long. */
  readonly socketPath: string
  /** Further names for Host and Origin: `name`, for any port, or `name:port`. */
  readonly allowHosts: readonly string[]
  /** Whoever comes over TCP may only read. */
  readonly readOnly?: boolean
  readonly log: Logger
}

export interface Api extends AsyncDisposable {
  /** Where it really listens, e.g. `http://127.0.0.1:7878`; the first is the one to tell people. */
  readonly urls: readonly string[]
  /** Takes no more requests, ends streams, lets calls finish for up to 5 s, then closes every connection. */
  close(): Promise<void>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null only where nobody is asked for. */
    principal: Principal | null
  }
  interface FastifyContextConfig {
    /** Its name in the metrics. */
    operation?: string
  }
}

const closeTimeoutMs = 5_000

/** Resolves once it listens. Rejects with `hub.bind_failed`, `home.unusable`. */
export async function startApi({ hub, bind, tls, socketPath, allowHosts, readOnly = false, log }: ApiOptions): Promise<Api> {
  const auth = authOf(hub)
  const metrics = httpMetrics()
  const checkOrigin = originCheck({ bindHost: bind.host, allowHosts })
  const live = inFlight()
  const app = application(hub, log)
  const { server: tcp, connectionBelow } = tls
    ? httpsServer(app.routing, tls)
    : { server: httpServer(app.routing), connectionBelow: (socket: Socket) => socket }
  const unix = httpServer(app.routing)
  const shares = descriptorShares(descriptorLimit())
  const crowds = { tcp: limitConnections(tcp, shares.tcp, log), unix: limitConnections(unix, shares.local, log) }
  const admitTcp = (socket: Socket) => crowds.tcp.admit(connectionBelow(socket))
  const tunnel = tunnelDoor({ hub, checkOrigin, metrics, admit: admitTcp })

  app.addHook('onRequest', async (request, reply) => {
    const { socket } = request.raw
    if (auth.isLocal(socket)) crowds.unix.admit(socket)
    else admitTcp(socket)
    reply.raw.setHeader('Cache-Control', 'no-store')
    reply.raw.setHeader('X-Content-Type-Options', 'nosniff')
    if (!auth.isLocal(request.raw.socket)) checkOrigin(request.raw)
    if (isOpen(request)) return
    request.principal = await auth.principalOf(request.raw)
  })
  let isClosing = false
  app.addHook('onSend', async (_request, reply) => {
    // A kept connection would keep its server from closing.
    if (isClosing) reply.header('Connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) =>
    metrics.observe({
      operation: request.routeOptions.config.operation ?? 'none',
      status: reply.raw.statusCode,
      seconds: reply.elapsedTime / 1000,
    }),
  )
  const admission = { hub: hub.id, readOnly }
  addOperations(app, { hub, live, admission, isLocal: auth.isLocal, log })
  const mcp = addMcp(app, { hub, live, admission, isLocal: auth.isLocal, log })
  addApprovalLink(app, { hub, readOnly, isLocal: auth.isLocal, log })
  addSystemRoutes(app, { hub, metrics, isLocal: auth.isLocal })
  app.setNotFoundHandler(
    answerMissing([
      ...routes.map(({ operation, place: { path, method } }) => ({
        path,
        methods: hasHead(operation) ? [method, 'HEAD'] : [method],
      })),
      ...systemPaths.map((path) => ({ path, methods: ['GET', 'HEAD'] })),
      { path: approvalLinkPath, methods: ['GET', 'POST'] },
      { path: mcpPath, methods: [...mcpMethods] },
    ]),
  )
  await app.ready()

  tcp.on('upgrade', tunnel.upgrade)
  unix.on('connection', auth.trust)

  async function close(): Promise<void> {
    const reason = failure('wire.closed', { reason: 'the hub is closing' })
    isClosing = true
    const closed = Promise.all([closeServer(tcp), closeServer(unix)])
    tunnel.close(reason)
    live.endStreams(reason)
    await mcp.end(reason)
    const overdue = setTimeout(() => {
      live.endAll(reason)
      for (const server of [tcp, unix]) server.closeAllConnections()
    }, closeTimeoutMs)
    await closed
    clearTimeout(overdue)
    await app.close()
  }

  try {
    await listenUnix(unix, socketPath)
    const urls = await listenTcp(tcp, bind, tls ? 'https' : 'http')
    let closed: Promise<void> | undefined
    const closeOnce = () => (closed ??= close())
    return { urls, close: closeOnce, [Symbol.asyncDispose]: closeOnce }
  } catch (error) {
    await close()
    throw error
  }
}

function application(hub: HubPort, log: Logger): FastifyInstance {
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const known = explain(error, { log, request: request.id })
    // A body that was not read must not keep the connection of someone who was refused.
    if (known.status === 401 || known.status === 403 || known.code === 'process.descriptors') reply.header('Connection', 'close')
    return sendProblem(reply, known)
  }
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    exposeHeadRoutes: false,
    genReqId: () => crypto.randomUUID(),
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    frameworkErrors: answerError,
  })
  app.decorateRequest('principal', null)
  app.setErrorHandler(async (error: unknown, request, reply) => {
    await noteRefusal(hub, error, request)
    return answerError(error, request, reply)
  })
  return app
}

function isOpen({ routeOptions, is404, url }: FastifyRequest): boolean {
  return [...openPaths, approvalLinkPath].some((path) => path === routeOptions.url) || (is404 && soughtForOAuth.test(url))
}

/** Where a model's client looks for OAuth once its token was refused. There is none here: told of a token there as well, some wait for a browser. */
const soughtForOAuth = /^\/(?:\.well-known\/|register(?:\?|$))/

function closeServer(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeIdleConnections()
  return promise
}
