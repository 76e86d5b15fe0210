// An http connector as a hub opens it, towards whatever answers at a URL; for tests that need no hub on this side.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { HttpConfig } from '../../../src/connectors/http/config.ts'
import { connectHttp } from '../../../src/connectors/http/connector.ts'
import type { Connector, LinkState } from '../../../src/connectors/port.ts'
import type { Caller } from '../../../src/contract/caller.ts'
import { getHubInfo } from '../../../src/contract/fleet.ts'
import { getHostInfo } from '../../../src/contract/host.ts'
import { type Bound, implement } from '../../../src/contract/implementation.ts'
import type { OutputOf } from '../../../src/contract/operation.ts'
import { type Identity, temporaryIdentity } from '../../../src/wire/identity.ts'
import { type ApiServer, type HubParts, serveApi } from '../../api/api-server.ts'
import { until } from '../../resources/muster.ts'

export interface Opened {
  readonly config: Omit<HttpConfig, 'kind'>
  readonly token?: () => string | undefined
  readonly lastSeenAt?: string | null
  readonly identity?: Identity
}

export function openHttp({
  config,
  token = () => 'operator',
  lastSeenAt = null,
  identity = temporaryIdentity(),
}: Opened): Connector {
  const dir = mkdtempSync(join(tmpdir(), 'muster-http-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return connectHttp(
    { kind: 'http', ...config },
    {
      host: 'host_1',
      name: 'prod',
      lastSeenAt,
      identity,
      version: '2.0.0',
      dir,
      secret: async () => token(),
      log: pino({ enabled: false }),
    },
  )
}

export const hubInfo: OutputOf<typeof getHubInfo> = {
  id: 'hub-under-test',
  label: 'other',
  version: '1.0.0',
  protocol: 1,
  key: 'hub-under-test',
  urls: [],
  startedAt: '2026-01-01T00:00:00.000Z',
  store: 'sqlite',
  pid: 1,
}

/** A hub of version 1.0.0 whose host answers these and, for the rest, nothing in particular. */
export function serveOtherHub(handlers: readonly Bound[] = [], parts: HubParts = {}): Promise<ApiServer> {
  return serveApi({
    allowHosts: ['localhost', '127.0.0.1'],
    ...parts,
    handlers: [
      ...handlers,
      implement(getHubInfo, async () => hubInfo),
      implement(getHostInfo, async () => ({
        version: '1.0.0',
        protocol: 1,
        platform: 'linux',
        arch: 'x64',
        hostname: 'other',
        cores: 1,
        memoryBytes: 1,
        bootedAt: null,
        activeRuns: 0,
        clock: '2026-01-01T00:00:00.000Z',
        kinds: ['command'],
        allows: ['runs'],
        catalogSize: null,
        backends: null,
      })),
    ],
  })
}

export function untilOnline(connector: Connector): Promise<Caller> {
  return until('it is online', async () => (connector.state.status === 'online' ? connector.state.caller : undefined))
}

/** Once it is not online and says so with a reason like this. */
export function untilAway(connector: Connector, reason: RegExp): Promise<Exclude<LinkState, { status: 'online' }>> {
  return until(`it is away with ${reason}`, async () => {
    const { state } = connector
    return state.status !== 'online' && reason.test(state.reason ?? '') ? state : undefined
  })
}
