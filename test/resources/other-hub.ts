// Another hub with its API on loopback, as an http host's far side: a real one, in this process, on a home of its own.

import { join } from 'node:path'
import pino from 'pino'
import { startApi } from '../../src/api/api.ts'
import { direct } from '../../src/contract/direct.ts'
import type { Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { createToken } from '../../src/contract/token.ts'
import { openHub } from '../../src/hub/hub.ts'
import { makeHome } from './home.ts'

const operator: Principal = { kind: 'user', id: 'test', role: 'operator', scopes: new Set(scopes) }
const log = pino({ level: 'silent' })

export interface OtherHub extends AsyncDisposable {
  readonly url: string
  readonly token: string
}

export async function openOtherHub({ version = '0.0.0-test' } = {}): Promise<OtherHub> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const hub = opened.use(await openHub({ home: home.path, version, log }))
  const { token } = await direct(hub.offers, operator).call(createToken, { name: 'center', role: 'operator' })
  const api = await startApi({
    hub,
    bind: { host: '127.0.0.1', port: 0 },
    socketPath: join(home.path, 'hub', 'hub.sock'),
    allowHosts: [],
    readOnly: false,
    log,
  })
  opened.defer(() => api.close())
  const closing = opened.move()
  return { url: api.urls[0] as string, token, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}
