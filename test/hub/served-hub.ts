// The hub of hub-fixture.ts with its API on loopback, and people with tokens who ask it.

import { join } from 'node:path'
import pino from 'pino'
import { startApi } from '../../src/api/api.ts'
import { type AuditEntry, listAudit } from '../../src/contract/audit.ts'
import type { InputOf } from '../../src/contract/operation.ts'
import { createToken } from '../../src/contract/token.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

export interface Person extends HubClient {
  readonly id: string
  readonly token: string
}

export interface ServedTestHub extends TestHub {
  readonly url: string
  /** Somebody with a token of this role. */
  person(role: InputOf<typeof createToken>['role'], more?: { name?: string; expiresInMs?: number }): Promise<Person>
  /** Somebody with this text for a token. */
  stranger(token: string): HubClient
  /** Newest first. */
  audit(wanted?: InputOf<typeof listAudit>): Promise<AuditEntry[]>
}

export async function serveTestHub(): Promise<ServedTestHub> {
  await using opened = new AsyncDisposableStack()
  const test = opened.use(await openTestHub())
  const api = opened.use(
    await startApi({
      hub: test.hub,
      bind: { host: '127.0.0.1', port: 0 },
      socketPath: join(test.home.path, 'hub', 'hub.sock'),
      allowHosts: [],
      log: pino({ level: 'silent' }),
    }),
  )
  const url = api.urls[0] as string
  const parts = opened.move()
  const stranger = (token: string): HubClient => {
    const client = connectHub({ url, token })
    parts.defer(() => client.close())
    return client
  }
  return {
    ...test,
    url,
    stranger,
    async person(role, { name = role, expiresInMs } = {}) {
      const minted = await test.caller.call(createToken, { name, role, ...(expiresInMs !== undefined && { expiresInMs }) })
      return { ...stranger(minted.token), id: minted.id, token: minted.token }
    },
    audit: async (wanted = {}) => (await test.caller.call(listAudit, { limit: 1000, ...wanted })).entries,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
