// Who is let in at `/mcp`, and to what: the same as on each operation's own route.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { viaHeader } from '../../src/contract/http.ts'
import { type ApiServer, serveApi } from '../api/api-server.ts'

let server: ApiServer

beforeAll(async () => {
  server = await serveApi()
})
beforeEach(() => {
  server.reached.length = 0
})
afterAll(() => server[Symbol.asyncDispose]())

async function ask({ url }: ApiServer, role: string, method: string, params: object = {}, headers: Record<string, string> = {}) {
  const answer = await fetch(new URL('/mcp', url), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      Authorization: `Bearer ${role}`,
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return { status: answer.status, text: await answer.text() }
}

const toolNames = (text: string) => [...text.matchAll(/"name":"(environments_list|node_\w+)"/g)].map(([, name]) => name)
const exec = { name: 'node_invoke', arguments: { node_id: 'box', command: 'exec', params: { argv: ['true'] } } }

test.each([
  ['operator', ['environments_list', 'node_invoke', 'node_file']],
  ['approver', ['environments_list']],
  ['viewer', ['environments_list']],
  ['node', []],
])('%s sees %j', async (role, names) => {
  expect(toolNames((await ask(server, role, 'tools/list')).text)).toEqual(names)
})

test.each(['approver', 'viewer', 'node'])('%s reaches no operation that begins anything, whatever it calls', async (role) => {
  const { text } = await ask(server, role, 'tools/call', exec)
  expect(text).toContain('auth.forbidden')
  const kept = { ...exec, arguments: { ...exec.arguments, keep: true } }
  expect((await ask(server, role, 'tools/call', kept)).text).toContain('auth.forbidden')
  const copy = { node: 'box', direction: 'pull', local_path: 'here', remote_path: 'there' }
  expect((await ask(server, role, 'tools/call', { name: 'node_file', arguments: copy })).text).toContain('"isError":true')
  expect(server.reached.filter((name) => !/^(fleet\.(hosts|events)|approval\.list|command\.list)$/.test(name))).toEqual([])
})

test("a node's credential reads nothing either", async () => {
  const { text } = await ask(server, 'node', 'tools/call', { name: 'environments_list', arguments: {} })
  expect(text).toContain('auth.forbidden')
  expect(server.reached).toEqual([])
})

test('a hub that is served for reading shows an operator what reads, and refuses the rest with a note of it', async () => {
  const refused: string[] = []
  await using reading = await serveApi({ readOnly: true, refused: async ({ code }) => void refused.push(code) })
  expect(toolNames((await ask(reading, 'operator', 'tools/list')).text)).toEqual(['environments_list'])
  expect((await ask(reading, 'operator', 'tools/call', exec)).text).toContain('hub.read_only')
  expect({ refused, reached: reading.reached }).toEqual({ refused: ['hub.read_only'], reached: [] })
})

test('another hub is answered for this machine alone, and not in a circle', async () => {
  const via = (hub: string) => ask(server, 'operator', 'tools/call', exec, { [viaHeader]: hub })
  expect((await via('another')).text).toContain('hub.one_hop')
  expect((await via('hub-under-test')).text).toContain('hub.loop')
  expect(server.reached).toEqual([])
})

test.each([
  ['what is no JSON', '{', 'application/json', 400],
  ['another type of body', '{}', 'text/plain', 415],
  ['a body beyond the limit', JSON.stringify({ pad: 'x'.repeat(3 * 1024 * 1024) }), 'application/json', 413],
])('%s is refused by its status', async (_what, body, type, status) => {
  const answer = await fetch(new URL('/mcp', server.url), {
    method: 'POST',
    headers: { 'Content-Type': type, Accept: 'application/json, text/event-stream', Authorization: 'Bearer operator' },
    body,
  })
  expect(answer.status).toBe(status)
  expect(server.reached).toEqual([])
})
