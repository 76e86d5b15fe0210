// Who may ask what: every route against every role, generated from the contract, and the doors before it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { hostOperations, hubOperations } from '../../src/contract/operations.ts'
import { type Role, roleScopes } from '../../src/contract/token.ts'
import { type ApiServer, ask, serveApi } from './api-server.ts'
import { complaints } from './roles.ts'

let server: ApiServer
beforeAll(async () => {
  server = await serveApi()
})
afterAll(() => server[Symbol.asyncDispose]())

const table = routes.map((route) => ({ name: `${route.asks}: ${route.operation.name}`, ...route }))

describe.each(table)('$name', ({ operation, place }) => {
  const path = place.path.replace(':host', 'box').replace(/:\w+/g, 'x1')
  const body =
    operation.kind === 'upload'
      ? { body: Buffer.from('x'), headers: { 'Content-Type': 'application/octet-stream' } }
      : place.restIn === 'body'
        ? { body: '{}' }
        : {}

  test('needs a token', async () => {
    const before = server.reached.length
    const answer = await ask(server, { method: place.method, path, ...body })
    expect(answer.json).toMatchObject({ status: 401, code: 'auth.required' })
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="muster"')
    expect(server.reached).toHaveLength(before)
  })

  test.each(Object.keys(roleScopes) as Role[])('and of the role %s its scope', async (role) => {
    const before = server.reached.length
    const answer = await ask(server, { method: place.method, path, token: role, ...body })
    if ((roleScopes[role] as readonly string[]).includes(operation.scope)) {
      expect([401, 403, 404, 405, 415, 500]).not.toContain(answer.status)
    } else {
      expect(answer.json).toMatchObject({ status: 403, code: 'auth.forbidden' })
      expect(server.reached).toHaveLength(before)
    }
  })

  test('the local socket is an operator', async () => {
    const answer = await ask(server, { method: place.method, path, local: true, ...body })
    expect([401, 403, 404, 405, 415, 500]).not.toContain(answer.status)
  })
})

test('every operation has a row in roles.ts, which says the scope that it asks for', () => {
  const operations = [...hubOperations, ...hostOperations]
  expect(complaints(operations)).toEqual([])
  expect(complaints([...operations, { name: 'host.explode', scope: 'read' }])).toEqual(['host.explode has no row'])
  expect(complaints(operations.map((one) => (one.name === 'token.create' ? { ...one, scope: 'read' } : one)))).toEqual([
    'token.create asks for read, and its row says admin',
  ])
  expect(complaints(operations.filter(({ name }) => name !== 'token.create'))).toEqual(['token.create is no operation'])
})

test('an operator holds every scope, an approver reads and approves, a viewer reads, and a node holds none', () => {
  expect(roleScopes).toEqual({
    operator: ['read', 'operate', 'approve', 'admin'],
    approver: ['read', 'approve'],
    viewer: ['read'],
    node: [],
  })
})

const guarded = table.filter(
  ({ operation, asks, place }) => asks === 'host' && operation.scope !== 'read' && place.restIn === 'body',
)
test.each(guarded)('$name does not tell a viewer which hosts there are', async ({ place }) => {
  const path = place.path.replace(':host', 'nowhere').replace(/:\w+/g, 'x1')
  expect((await ask(server, { method: place.method, path, token: 'viewer', body: '{}' })).json).toMatchObject({
    code: 'auth.forbidden',
  })
})

test('a token nobody has is refused', async () => {
  const answer = await ask(server, { path: '/api/v1/hub', token: 'guessed' })
  expect(answer.json).toMatchObject({ status: 401, code: 'auth.invalid' })
  expect(answer.headers['www-authenticate']).toContain('invalid_token')
})

test.each(['Bearer', 'Bearer ', 'Basic b3BlcmF0b3I=', 'operator', 'Bearer a b'])(
  '"Authorization: %s" is no token',
  async (Authorization) => {
    const answer = await ask(server, { path: '/api/v1/hub', headers: { Authorization } })
    expect(answer.json).toMatchObject({ code: 'auth.required' })
  },
)

test('no header makes a TCP connection local', async () => {
  const headers = {
    'X-Forwarded-For': '127.0.0.1',
    Forwarded: 'for=127.0.0.1',
    'X-Muster-Principal': 'local-socket',
    'X-Real-IP': '127.0.0.1',
  }
  expect((await ask(server, { path: '/api/v1/hub', headers })).status).toBe(401)
})

test.each(['/api/v1/nothing', '/api/v1/hosts/box/nothing', '/%zz', '/api/v1/../../etc/passwd'])(
  'a stranger is not told that %s does not exist',
  async (path) => {
    expect([400, 401]).toContain((await ask(server, { path })).status)
  },
)

test.each([
  '/.well-known/oauth-protected-resource/mcp',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/register',
])("that there is no %s is told to a model's client without a token, which looks for it once it was refused", async (path) => {
  expect((await ask(server, { path })).json).toMatchObject({ status: 404, code: 'operation.unknown' })
  expect((await ask(server, { path, method: 'POST', body: '{}' })).status).toBe(404)
})

test.each(['/healthz', '/readyz'])('%s asks for no token and says nothing more', async (path) => {
  const answer = await ask(server, { path })
  expect(answer.status).toBe(200)
  expect(Object.keys(answer.json)).toEqual(['status'])
})

test.each(['/metrics', '/api/v1/openapi.json', '/api/v1/schemas/workflow.json'])('%s asks for one', async (path) => {
  expect((await ask(server, { path })).status).toBe(401)
  expect((await ask(server, { path, token: 'viewer' })).status).toBe(200)
})

test('the page at / needs no token, runs nothing and tells nothing about the hub', async () => {
  const answer = await fetch(`http://127.0.0.1:${server.port}/`)
  const page = await answer.text()
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page).toContain('muster host list')
  expect(page).not.toContain('<script')
})

test('metrics need the scope read', async () => {
  expect((await ask(server, { path: '/metrics', token: 'node' })).json).toMatchObject({ code: 'auth.forbidden' })
})

test.each([
  { Host: 'evil.example' },
  { Host: 'evil.example:PORT' },
  { Host: 'localhost.evil.example:PORT' },
  { Host: 'localhost:1', Origin: 'http://localhost:2' },
  { Host: 'localhost:PORT', Origin: 'https://evil.example' },
  { Host: 'localhost:PORT', Origin: 'null' },
  { Host: 'hub.example', Origin: 'http://localhost:3000' },
])('%o is refused before anything else, whatever the token', async (headers) => {
  const own = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(server.port))]),
  )
  for (const path of ['/api/v1/hub', '/healthz', '/nothing']) {
    const answer = await ask(server, { path, token: 'operator', headers: own })
    expect(answer.json).toMatchObject({ status: 403, code: 'auth.origin' })
  }
})

test.each([{ Host: 'localhost:PORT' }, { Host: '[::1]:PORT' }, { Host: 'hub.example', Origin: 'https://hub.example' }])(
  '%o is ours',
  async (headers) => {
    const own = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(server.port))]),
    )
    expect((await ask(server, { path: '/api/v1/hub', token: 'viewer', headers: own })).status).toBe(200)
  },
)

test('tokens are not logged', () => {
  for (const line of server.logged) expect(line).not.toMatch(/operator|guessed/)
})
