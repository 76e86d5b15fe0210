// The protocol's own conformance suite on a hub's `/mcp`: what of it applies passes, and what does not is named here with the reason
// (docs/mcp.md has them too). The suite has no token, so a door before the hub adds one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServedTestHub, serveTestHub } from '../hub/served-hub.ts'
import { makeHome } from '../resources/home.ts'

/** Scenarios, or single checks of one, that ask for what a server of a few tools does not have. */
const notApplicable: readonly (readonly [what: RegExp, reason: string])[] = [
  [
    /^server-stateless\/.*(undeclared-capability|missing-capability|independent-requests|no-log-without)/,
    "wants the suite's own test tools",
  ],
  [/^tools-call-|^json-schema-2020-12\//, "wants the suite's own test tools"],
  [/^http-custom-header-server-validation\//, 'wants a tool whose arguments travel as headers; ours have none'],
  [
    /^input-required-result-/,
    'wants test tools that ask the person at the client; ours ask nobody there: approvals are given at the hub',
  ],
  [/^elicitation-/, 'wants test tools that ask the person at the client; ours ask nobody there: approvals are given at the hub'],
  [/^resources-(read-text|read-binary|templates-read)\//, "wants the suite's own test resources"],
  [/^resources-(subscribe|unsubscribe)\//, 'of older revisions: needs a session, which /mcp has not; muster mcp over stdio can'],
  [/^prompts-|^caching\/.*prompts/, 'there are no prompts'],
  [/^completion-complete\//, 'there is nothing to complete'],
  [/^logging-set-level\//, 'deprecated by the protocol, and not offered'],
]

const failing = new Set<string>()
const opened = new AsyncDisposableStack()
let url: string

beforeAll(async () => {
  const served = opened.use(await serveTestHub())
  url = await doorTo(served)
})
afterAll(() => opened.disposeAsync())

/** Passes requests on with a token, and leaves them as they are otherwise. */
async function doorTo(served: ServedTestHub): Promise<string> {
  const { token } = await served.person('operator')
  const { hostname, port } = new URL(served.url)
  const door = createServer((asked, answer) => {
    const headers = { ...asked.headers, authorization: `Bearer ${token}` }
    const on = request({ hostname, port, method: asked.method, path: asked.url, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(answer)
    })
    on.on('error', () => answer.destroy())
    answer.on('close', () => on.destroy())
    asked.pipe(on)
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  opened.defer(() => {
    door.closeAllConnections()
    door.close()
  })
  return `http://127.0.0.1:${(door.address() as AddressInfo).port}/mcp`
}

interface Check {
  readonly id: string
  readonly status: string
  readonly errorMessage?: string
}

async function run(revision: string): Promise<{ name: string; status: string; why: string }[]> {
  await using home = await makeHome()
  const suite = join(
    dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
    'dist/index.js',
  )
  const args = [
    suite,
    'server',
    '--url',
    url,
    '--suite',
    'all',
    '--spec-version',
    revision,
    '--timeout',
    '120000',
    '-o',
    home.path,
  ]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  await once(child, 'close')
  const runs = await readdir(home.path)
  const checks = runs.map(async (folder) => {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT/.exec(folder)?.[1]
    const found = JSON.parse(await readFile(join(home.path, folder, 'checks.json'), 'utf8')) as Check[]
    return found.map(({ id, status, errorMessage = '' }) => ({ name: `${scenario}/${id}`, status, why: errorMessage }))
  })
  return (await Promise.all(checks)).flat()
}

test.each([
  ['2025-06-18', 30],
  ['2025-11-25', 38],
  ['2026-07-28', 88],
])('revision %s: every check that applies passes', async (revision, atLeast) => {
  const checks = await run(revision)
  const failed = checks.filter(({ status }) => status === 'FAILURE')
  expect(failed.filter(({ name }) => !notApplicable.some(([what]) => what.test(name)))).toEqual([])
  for (const { name } of failed) failing.add(name)
  const passed = checks.filter(({ status }) => status === 'SUCCESS')
  console.log(`conformance ${revision}: ${passed.length} checks passed, ${failed.length} do not apply`)
  expect(passed.length).toBeGreaterThanOrEqual(atLeast)
})

test('nothing is excused that passes', () => {
  expect(notApplicable.filter(([what]) => ![...failing].some((name) => what.test(name))).map(([what]) => what.source)).toEqual([])
})
