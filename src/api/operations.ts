// The contract's operations as Fastify routes: gathers the input, asks the hub or the host, gives the answer its form.

import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { requireScope } from '../contract/implementation.ts'
import { type Admission, requireAdmission } from './admission.ts'
import { answers } from './answer.ts'
import { acceptBodies } from './body.ts'
import type { InFlight } from './exchange.ts'
import { gatherInput } from './input.ts'
import type { HubPort } from './port.ts'
import { explain } from './problem.ts'
import { type Route, routes } from './routes.ts'

export interface OperationsOf {
  readonly hub: HubPort
  readonly live: InFlight
  readonly admission: Admission
  readonly isLocal: (socket: Socket) => boolean
  readonly log: Logger
}

/** Each kind of body has its own scope, so that JSON routes take only JSON and uploads only bytes. */
export function addOperations(app: FastifyInstance, of: OperationsOf): void {
  for (const kind of ['json', 'bytes'] as const) {
    app.register((scope, _options, done) => {
      acceptBodies(scope, kind)
      for (const route of routes) {
        if ((route.operation.kind === 'upload') === (kind === 'bytes')) addOperation(scope, route, of)
      }
      done()
    })
  }
}

function addOperation(scope: FastifyInstance, route: Route, { hub, live, admission, isLocal, log }: OperationsOf): void {
  const {
    operation,
    asks,
    place: { method, path },
  } = route
  scope.route({
    method,
    url: path,
    exposeHeadRoute: hasHead(operation),
    config: { operation: operation.name },
    async handler(request, reply) {
      const { principal } = request
      if (!principal) throw failure('auth.required')
      requireScope(operation, principal)
      const params = request.params as Record<string, string>
      requireAdmission(admission, {
        operation,
        host: asks === 'host' ? params.host : undefined,
        headers: request.headers,
        isLocal: isLocal(request.raw.socket),
      })
      const ending = live.enter(reply, operation, principal.token?.ended)
      const carried = {
        params,
        query: request.query as Record<string, unknown>,
        body: operation.kind === 'upload' ? undefined : request.body,
        headers: request.headers,
      }
      const input = gatherInput(route, carried)
      const offers = asks === 'hub' ? hub.offers : await hub.host(params.host ?? '')
      return answers[operation.kind]({
        operation,
        input,
        request,
        reply,
        caller: direct(offers, principal),
        signal: ending.signal,
        explain: (thrown) => explain(thrown, { log, request: request.id }),
      })
    },
  })
}

/** Answers to HEAD cost what GET's do; a stream's would tell nothing. */
export function hasHead({ kind, http }: Route['operation']): boolean {
  return kind === 'call' && http !== null && http.startsWith('GET ')
}
