// The routes that are not operations: the page at `/`, health, metrics, and the documents that describe the API.

import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { failure, hasCode } from '../contract/errors.ts'
import { apiBase } from '../contract/http.ts'
import { type Principal, requireScope } from '../contract/implementation.ts'
import { landingPage, landingPolicy } from './landing.ts'
import type { HttpMetrics } from './metrics.ts'
import { openApiDocument } from './openapi.ts'
import { packageFile } from './package-root.ts'
import type { HubPort } from './port.ts'

/** Asked by browsers, load balancers and supervisors, which have no token; they say nothing of what the hub knows. */
export const openPaths = ['/', '/healthz', '/readyz'] as const
export const systemPaths = [...openPaths, '/metrics', `${apiBase}/openapi.json`, `${apiBase}/schemas/workflow.json`] as const

const nobody: Principal = { kind: 'user', id: 'nobody', role: 'none', scopes: new Set() }

export interface SystemRoutes {
  readonly hub: HubPort
  readonly metrics: HttpMetrics
  /** Whether a connection comes from this account. */
  readonly isLocal: (socket: Socket) => boolean
}

export function addSystemRoutes(app: FastifyInstance, { hub, metrics, isLocal }: SystemRoutes): void {
  const openApi = JSON.stringify(openApiDocument())
  const answer: Record<
    (typeof systemPaths)[number],
    { type: string; text: (asked: FastifyRequest) => Promise<string>; scope?: 'read'; policy?: string }
  > = {
    '/': { type: 'text/html; charset=utf-8', text: async () => landingPage, policy: landingPolicy },
    '/healthz': { type: 'application/json', text: async () => '{"status":"ok"}' },
    '/readyz': { type: 'application/json', text: ({ raw }) => ready(hub, isLocal(raw.socket)) },
    '/metrics': {
      type: 'text/plain; version=0.0.4; charset=utf-8',
      scope: 'read',
      text: async () => (await hub.metrics()) + (await metrics.text()),
    },
    '/api/v1/openapi.json': { type: 'application/json', text: async () => openApi },
    '/api/v1/schemas/workflow.json': { type: 'application/schema+json', text: workflowSchema },
  }
  for (const [path, { type, text, scope, policy }] of Object.entries(answer)) {
    app.get(path, { config: { operation: path } }, async (request, reply) => {
      if (scope) requireScope({ name: path, scope }, request.principal ?? nobody)
      if (policy) reply.header('content-security-policy', policy)
      return reply.type(type).send(await text(request))
    })
  }
}

async function ready(hub: HubPort, local: boolean): Promise<string> {
  try {
    await hub.checkReady()
    return '{"status":"ready"}'
  } catch (error) {
    if (local) throw error
    // Why is in the hub's log and in its operations' answers; whoever asks here may be a stranger.
    if (hasCode(error, 'store.unavailable')) throw failure('store.unavailable', { problem: 'the hub cannot use its store' })
    throw failure('host.not_ready')
  }
}

async function workflowSchema(): Promise<string> {
  try {
    return await readFile(packageFile('schemas', 'workflow.schema.json'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw failure('operation.unknown', { operation: 'the workflow schema' })
    throw error
  }
}
