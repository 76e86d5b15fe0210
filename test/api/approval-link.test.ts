// The page behind a web link that answers an approval, as a phone's browser meets it.

import { expect, test } from 'vitest'
import type { Answer, FleetApproval } from '../../src/contract/approval.ts'
import { failure } from '../../src/contract/errors.ts'
import { type ApiServer, ask, type HubParts, serveApi } from './api-server.ts'

const evil = '"><script>alert(1)</script>\u202e\u3164\u{e0041}<img src=x onerror=alert(1)>'
const approval: FleetApproval = {
  id: 'apr_00000000000000000000000001',
  host: evil,
  hostId: 'host_1',
  askerName: evil,
  state: 'pending',
  digest: 'a'.repeat(64),
  asked: {
    host: 'box',
    hub: 'hub',
    asker: evil,
    command: evil,
    params: { [evil]: evil },
    argv: [evil],
    cwd: evil,
    env: { [evil]: 'tag' },
    script: { sha256: 'b'.repeat(64), text: `echo 1\n${evil}\n` },
    session: evil,
  },
  reason: evil,
  cause: evil,
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-01T00:10:00.000Z',
  resolution: null,
}

type Given = { token: string; outcome: Answer; reason?: string }

async function serve(given: Given[], readOnly = false, refused: HubParts['refused'] = async () => {}): Promise<ApiServer> {
  const check = (token: string) => {
    if (token !== 'good') throw failure('approval.link_invalid')
  }
  return serveApi({
    readOnly,
    refused,
    approvalLinks: {
      async look(token) {
        check(token)
        return approval
      },
      async answer(token, answer) {
        check(token)
        given.push({ token, ...answer })
        return { ...approval, state: answer.outcome }
      },
    },
  })
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
/** As bytes: the helper calls text JSON. */
const post = (server: ApiServer, body: string, path = '/approve/good', headers: Record<string, string> = {}) =>
  ask(server, { method: 'POST', path, headers: { ...form, ...headers }, body: Buffer.from(body) })

test('shows what would run, asks for no token, answers nothing by being looked at, and takes nothing for markup', async () => {
  const given: Given[] = []
  await using server = await serve(given)
  const { status, headers, text } = await ask(server, { path: '/approve/good' })
  expect(status).toBe(200)
  expect(headers['content-type']).toContain('text/html')
  expect(headers['content-security-policy']).toContain("default-src 'none'")
  expect(headers['content-security-policy']).toContain("form-action 'self'")
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['referrer-policy']).toBe('same-origin')
  expect(text).toContain('&lt;script&gt;')
  expect(text).toContain('Let the like run for this session')
  expect(text).not.toMatch(/<script|<img|onerror="|[\u202e\u3164\u{e0041}]/u)
  expect(given).toEqual([])
  expect(server.logged.join()).not.toContain('good')
})

test.each([
  ['outcome=approved&reason=', { outcome: 'approved' }],
  ['outcome=approved_session', { outcome: 'approved_session' }],
  ['outcome=denied&reason=not+now', { outcome: 'denied', reason: 'not now' }],
])('a form with %s answers', async (body, expected) => {
  const given: Given[] = []
  await using server = await serve(given)
  const { status, text } = await post(server, body)
  expect(status).toBe(200)
  expect(text).toContain('used up')
  expect(given).toEqual([{ token: 'good', ...expected }])
})

test.each(['', 'outcome=denied&reason=+', 'outcome=yes', 'outcome=approved&by=root', 'outcome=approved&state=approved'])(
  'a form with "%s" answers nothing',
  async (body) => {
    const given: Given[] = []
    await using server = await serve(given)
    const { status, text } = await post(server, body)
    expect(status).toBe(400)
    expect(text).toContain('<h1>This link does not answer</h1>')
    expect(given).toEqual([])
  },
)

test('a link that is not good, another kind of body, too much of it, and a page from elsewhere are refused', async () => {
  const given: Given[] = []
  await using server = await serve(given)
  expect((await ask(server, { path: '/approve/bad' })).status).toBe(403)
  expect((await post(server, 'outcome=approved', '/approve/bad')).status).toBe(403)
  expect((await ask(server, { method: 'POST', path: '/approve/good', body: '{"outcome":"approved"}' })).status).toBe(415)
  expect((await post(server, `outcome=approved&reason=${'x'.repeat(20_000)}`)).status).toBe(413)
  expect((await post(server, 'outcome=approved', '/approve/good', { Origin: 'https://evil.example' })).status).toBe(403)
  expect((await ask(server, { method: 'DELETE', path: '/approve/good', token: 'operator' })).status).toBe(405)
  expect(given).toEqual([])
})

test('who is turned away by a link is in the audit log, like everybody who is', async () => {
  const refused: string[] = []
  await using server = await serve([], false, async ({ code }, { principal, operation }) => {
    refused.push(`${principal?.id ?? 'stranger'} ${operation} ${code}`)
  })
  await ask(server, { path: '/approve/bad' })
  await post(server, 'outcome=approved', '/approve/good', { Origin: 'https://evil.example' })
  await post(server, 'outcome=yes')
  expect(refused).toEqual(['stranger approval.by_link approval.link_invalid', 'stranger approval.by_link auth.origin'])
})

test('a hub that is served for reading only takes no answer', async () => {
  const given: Given[] = []
  await using server = await serve(given, true)
  expect((await ask(server, { path: '/approve/good' })).status).toBe(200)
  expect((await post(server, 'outcome=approved')).status).toBe(403)
  expect(given).toEqual([])
})
