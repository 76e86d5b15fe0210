// Tells the hub of a request that is turned away, for its audit log, before it is answered. Whatever is served asks this of its errors.

import type { FastifyRequest } from 'fastify'
import { isRefusal } from '../contract/audited.ts'
import type { HubPort } from './port.ts'

export async function noteRefusal(hub: Pick<HubPort, 'refused'>, error: unknown, request: FastifyRequest): Promise<void> {
  if (!isRefusal(error)) return
  const { host, approval } = (request.params ?? {}) as { host?: string; approval?: string }
  await hub.refused(error, {
    principal: request.principal,
    address: request.raw.socket.remoteAddress ?? '',
    operation: request.routeOptions.config.operation,
    host,
    approval,
  })
}
