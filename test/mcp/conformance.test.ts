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

interface NotApplicable {
  readonly what: RegExp
  /** What the suite says then: nothing else is excused. */
  readonly said: RegExp
}

const ownTool = /There is no tool test_|Tool 'json_schema_2020_12_tool' not found/
const noMethod = /Method not found/

/** Scenarios, or single checks of one, that ask for what a server of a few tools does not have; docs/mcp.md has the reasons. */
const notApplicable: readonly NotApplicable[] = [
  {
    what: /^server-stateless\/.*(undeclared-capability|missing-capability|independent-requests|no-log-without)/,
    said: /^Not testable: server does not list the diagnostic tool 'test_/,
  },
  { what: /^tools-call-(?!with-logging)|^json-schema-2020-12\//, said: ownTool },
  { what: /^tools-call-with-logging\//, said: /There is no tool test_|Method not found/ },
  {
    what: /^http-custom-header-server-validation\//,
    said: /^Not testable: server exposes no tool with x-mcp-header annotations/,
  },
  { what: /^input-required-result-non-tool-request\//, said: noMethod },
  {
    what: /^input-required-result-(multi-round|tampered-state)\//,
    said: /^Expected InputRequiredResult with|^Prerequisite failed: could not get initial InputRequiredResult/,
  },
  { what: /^input-required-result-|^elicitation-/, said: ownTool },
  { what: /^resources-(read-text|read-binary|templates-read)\//, said: /Resource not found: test:/ },
  { what: /^resources-(subscribe|unsubscribe)\//, said: noMethod },
  { what: /^prompts-|^caching\/.*prompts/, said: noMethod },
  { what: /^completion-complete\//, said: noMethod },
  { what: /^logging-set-level\//, said: noMethod },
]

const failing: Named[] = []
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

interface Named {
  readonly name: string
  readonly status: string
  readonly why: string
}

const isExcused = ({ name, why }: Named) => notApplicable.some(({ what, said }) => what.test(name) && said.test(why))

async function run(revision: string): Promise<Named[]> {
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

test.concurrent.each([
  ['2025-06-18', 30],
  ['2025-11-25', 38],
  ['2026-07-28', 88],
])('revision %s: every check that applies passes', async (revision, atLeast) => {
  const checks = await run(revision)
  const failed = checks.filter(({ status }) => status === 'FAILURE')
  expect(failed.filter((one) => !isExcused(one))).toEqual([])
  failing.push(...failed)
  const passed = checks.filter(({ status }) => status === 'SUCCESS')
  console.log(`conformance ${revision}: ${passed.length} checks passed, ${failed.length} do not apply`)
  expect(passed.length).toBeGreaterThanOrEqual(atLeast)
})

test('nothing is excused that passes', () => {
  const unused = notApplicable.filter(({ what }) => !failing.some(({ name }) => what.test(name)))
  expect(unused.map(({ what }) => what.source)).toEqual([])
})
