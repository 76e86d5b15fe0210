// What a token alone does not decide: a hub that is served for reading only, and requests that come through another hub.

import { expect, test } from 'vitest'
import { httpPlace } from '../../src/contract/http.ts'
import { hostOperations, hubOperations } from '../../src/contract/operations.ts'
import { ask, serveApi } from './api-server.ts'

const via = (...hubs: string[]) => ({ 'Muster-Via': hubs.join(', ') })

test('a hub that is served for reading only refuses every operation that changes something, whatever the token', async () => {
  await using server = await serveApi({ readOnly: true })
  const refused: string[] = []
  for (const [operations, of] of [
    [hubOperations, 'hub'],
    [hostOperations, 'host'],
  ] as const) {
    for (const operation of operations.filter(({ scope }) => scope !== 'read')) {
      const { method, path } = httpPlace(operation, of)
      const { status, json } = await ask(server, { method, path: path.replace(/:\w+/g, 'local'), token: 'operator' })
      expect({ operation: operation.name, status, code: json.code }).toEqual({
        operation: operation.name,
        status: 403,
        code: 'hub.read_only',
      })
      refused.push(operation.name)
    }
  }
  expect(refused).toContain('run.start')
  expect(server.reached).toEqual([])
})

test('it answers reads to everybody with a token, and everything to its own machine', async () => {
  await using server = await serveApi({ readOnly: true })
  expect(await ask(server, { path: '/api/v1/hosts/local/info', token: 'viewer' })).toMatchObject({ status: 200 })
  const cancel = { method: 'POST', path: '/api/v1/hosts/local/runs/r1/cancel', body: '{}' }
  expect(await ask(server, { ...cancel, local: true })).toMatchObject({ status: 200 })
  // A viewer learns first that its own token would not do.
  expect(await ask(server, { ...cancel, token: 'viewer' })).toMatchObject({ json: { code: 'auth.forbidden' } })
  expect(await ask(server, { path: '/api/v1/hosts/local/info' })).toMatchObject({ status: 401 })
})

test('a request that has passed this hub before is a loop, whatever it asks for', async () => {
  await using server = await serveApi()
  for (const path of ['/api/v1/hub', '/api/v1/hosts/local/info', '/api/v1/hosts/box/info', '/api/v1/hosts']) {
    for (const headers of [via('hub-under-test'), via('another', 'hub-under-test'), via('hub-under-test', 'another')]) {
      const { status, json } = await ask(server, { path, token: 'operator', headers })
      expect({ path, status, code: json.code }).toEqual({ path, status: 508, code: 'hub.loop' })
    }
  }
  expect(server.reached).toEqual([])
})

test("another hub may ask for this machine and who this hub is, and not for this hub's own hosts, runs and tokens", async () => {
  await using server = await serveApi()
  const asked = (path: string, method = 'GET') =>
    ask(server, { method, path, token: 'operator', headers: via('another'), ...(method === 'POST' && { body: '{}' }) })
  expect(await asked('/api/v1/hub')).toMatchObject({ status: 200 })
  expect(await asked('/api/v1/hosts/local/info')).toMatchObject({ status: 200 })
  expect(server.reached).toEqual(['hub.info', 'host.info'])
  for (const path of ['/api/v1/hosts/box/info', '/api/v1/hosts', '/api/v1/runs', '/api/v1/tokens']) {
    const { status, json } = await asked(path)
    expect({ path, status, code: json.code }).toEqual({ path, status: 403, code: 'hub.one_hop' })
  }
  expect(await asked('/api/v1/runs', 'POST')).toMatchObject({ json: { code: 'hub.one_hop' } })
  expect(server.reached).toEqual(['hub.info', 'host.info'])
})
