// A model's tools over a real hub's `/mcp`, by real clients of the newer and the older protocol line.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approveApproval, denyApproval, listApprovals } from '../../src/contract/approval.ts'
import { removeHost } from '../../src/contract/host.ts'
import { createToken, revokeToken } from '../../src/contract/token.ts'
import { type ServedTestHub, serveTestHub } from '../hub/served-hub.ts'
import { isAlive } from '../resources/alive.ts'
import { type Home, makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { type ModelClient, modelClient, type Spoken } from './model-client.ts'

let served: ServedTestHub
let files: Home
let token: string

beforeAll(async () => {
  served = await serveTestHub()
  files = await makeHome()
  token = (await served.person('operator')).token
})
afterAll(async () => {
  await served[Symbol.asyncDispose]()
  await files[Symbol.asyncDispose]()
})

const lines = ['new', 'old'] as const
const asModel = (line: Spoken['line'] = 'new', by = token): Promise<ModelClient> =>
  modelClient({ line, at: { url: served.url, token: by } })

const run = (argv: readonly string[], more: Record<string, unknown> = {}) => ({
  node_id: 'local',
  command: 'exec',
  params: { argv },
  ...more,
})

/** A shell line that writes its pid to a file and stays. */
async function lasting(name: string) {
  const file = join(files.path, name)
  const argv = ['sh', '-c', `echo $$ > "$1"; exec sleep 120`, 'sh', file]
  const pid = () => until(`${name} runs`, async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined)
  return { argv, pid }
}

const jsonHeaders = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }

/** A message as it is on the wire, or several; without a token, as a stranger. */
function post(
  by: string | undefined,
  message: object,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(new URL('/mcp', served.url), {
    method: 'POST',
    headers: { ...jsonHeaders, ...(by !== undefined && { Authorization: `Bearer ${by}` }), ...headers },
    body: JSON.stringify(Array.isArray(message) ? message : { jsonrpc: '2.0', ...message }),
    ...(signal && { signal }),
  })
}

function handleIn(text: string): string {
  const handle = /"handle":"([^"]+)"/.exec(text)?.[1]
  if (handle === undefined) throw new Error(`there is no handle in: ${text}`)
  return handle
}

describe.each(lines)('a client of the %s line', (line) => {
  test('sees the tools, reads the fleet, runs a command and is told how it ended', async () => {
    await using model = await asModel(line)
    expect(model.revision).toBe(line === 'new' ? '2026-07-28' : '2025-11-25')
    expect((await model.tools()).map(({ name }) => name)).toEqual(['environments_list', 'node_invoke', 'node_file'])
    expect(model.instructions).toContain('local online')
    expect(await model.call('environments_list')).toContain('exec(argv[],')
    const answer = await model.call('node_invoke', run(['sh', '-c', 'echo out; echo err >&2; exit 3']))
    expect(answer).toContain('exit code 3')
    expect(answer).toMatch(/stdout, 4 bytes, up to (~\S+):\nout\n\1\n/)
    expect(answer).toMatch(/stderr, 4 bytes, up to (~\S+):\nerr\n\1$/)
  })

  test('is given a handle for what lasts longer, and goes on with it', async () => {
    await using model = await asModel(line)
    const told: string[] = []
    const first = await model.call('node_invoke', run(['sh', '-c', 'echo begun; sleep 2; echo done'], { wait_s: 1 }), {
      onProgress: (message) => told.push(message),
    })
    expect(first).toContain('goes on')
    expect(told.join()).toContain('begun')
    const second = await model.call('node_invoke', { handle: handleIn(first), wait_s: 60 })
    expect(second).toMatch(/stdout, 11 bytes, up to ~\S+:\nbegun\ndone\n/)
  })

  test('reads long output in parts, all of it and nothing twice', async () => {
    await using model = await asModel(line)
    const whole = `${Array.from({ length: 20_000 }, (_, i) => i + 1).join('\n')}\n`
    const first = await model.call('node_invoke', run(['seq', '1', '20000']))
    expect(first).toContain(`stdout, ${whole.length} bytes`)
    expect(first.length).toBeLessThan(10_000)
    const handle = handleIn(first)
    let offset = 0
    let read = ''
    while (offset < whole.length) {
      const text = await model.call('node_invoke', { handle, stream: 'stdout', offset })
      const [, to] = /shown: characters \d+-(\d+) of/.exec(text) ?? []
      const part = whole.slice(offset, Number(to))
      expect(text).toContain(part.replace(/\n$/, ''))
      read += part
      offset = Number(to)
    }
    expect(read).toBe(whole)
  })

  test('that cancels a call ends what it ran', async () => {
    await using model = await asModel(line)
    const { argv, pid } = await lasting(`cancelled-${line}`)
    const leaving = new AbortController()
    const call = model.call('node_invoke', run(argv), { signal: leaving.signal }).catch((error: Error) => error)
    const program = await pid()
    leaving.abort()
    expect(await call).toBeInstanceOf(Error)
    await until('it has ended', async () => (isAlive(program) ? undefined : true))
  })

  test('that goes away in a call leaves nothing running', async () => {
    const model = await asModel(line)
    const { argv, pid } = await lasting(`gone-${line}`)
    const call = model.call('node_invoke', run(argv)).catch((error: Error) => error)
    const program = await pid()
    await model[Symbol.asyncDispose]()
    expect(await call).toBeInstanceOf(Error)
    await until('it has ended', async () => (isAlive(program) ? undefined : true))
  })

  test('ends what it has begun by its handle', async () => {
    await using model = await asModel(line)
    const { argv, pid } = await lasting(`handled-${line}`)
    const handle = handleIn(await model.call('node_invoke', run(argv, { wait_s: 0 })))
    const program = await pid()
    expect(await model.call('node_invoke', { handle, cancel: true })).toContain('ERROR call.cancelled')
    await until('it has ended', async () => (isAlive(program) ? undefined : true))
  })
})

test('what is kept is a run: it goes on when its client has gone, has all its output, and can be ended', async () => {
  const { argv, pid } = await lasting('kept')
  const model = await asModel()
  const handle = handleIn(await model.call('node_invoke', run(argv, { keep: true, wait_s: 0 })))
  const program = await pid()
  await model[Symbol.asyncDispose]()
  expect(isAlive(program)).toBe(true)
  await using other = await asModel('old')
  expect(await other.call('node_invoke', { handle, wait_s: 0 })).toContain(`run ${handle} on local: running`)
  expect(await other.call('node_invoke', { handle, cancel: true, wait_s: 60 })).toContain('cancelled')
  expect(isAlive(program)).toBe(false)
  const fed = await other.call('node_invoke', { ...run(['cat']), keep: true, params: { argv: ['cat'], stdin: 'from the model' } })
  expect(fed).toContain('succeeded, exit code 0')
  expect(fed).toContain('from the model')
  expect(await other.call('node_invoke', { node_id: 'local', command: 'system.info', keep: true })).toContain(
    'ERROR tool.not_kept',
  )
})

describe('approvals', () => {
  const pending = () =>
    until('somebody is asked', async () => {
      const { approvals } = await served.caller.call(listApprovals, {})
      return approvals[0]
    })

  test('a sensitive command answers with its approval at once, waits by the handle, and runs once approved', async () => {
    await using model = await asModel()
    const first = await model.call('node_invoke', {
      node_id: 'local',
      command: 'shell',
      params: { script: 'echo approved' },
      reason: 'to see',
    })
    const approval = await pending()
    expect(first).toContain(`waits for a person's approval, ${approval.id}`)
    expect(first).toContain('Nothing has run.')
    expect(approval.reason).toBe('to see')
    expect(await model.call('environments_list', { since: 0 })).toContain(`${approval.id}: shell on local`)
    const handle = handleIn(first)
    expect(await model.call('node_invoke', { handle, wait_s: 0 })).toContain("waits for a person's approval")
    const waiting = model.call('node_invoke', { handle, wait_s: 60 })
    await served.caller.call(approveApproval, { approval: approval.id, digest: approval.digest })
    expect(await waiting).toMatch(/stdout, 9 bytes, up to ~\S+:\napproved\n/)
  })

  test('a denial says why, and that it is not to be tried in another way', async () => {
    await using model = await asModel()
    const first = await model.call('node_invoke', { node_id: 'local', command: 'shell', params: { script: 'echo no' } })
    const { id: approval, digest } = await pending()
    await served.caller.call(denyApproval, { approval, digest, reason: 'not today' })
    const answer = await model.call('node_invoke', { handle: handleIn(first), wait_s: 60 })
    expect(answer).toContain('ERROR approval.denied')
    expect(answer).toContain('not today')
    expect(answer).toContain('Do not try it again or in another way')
  })
})

describe('who may do what', () => {
  test("a viewer sees the reading tool alone, and is refused the other by the hub's own door, which notes it", async () => {
    const viewer = await served.person('viewer')
    await using model = await asModel('new', viewer.token)
    expect((await model.tools()).map(({ name }) => name)).toEqual(['environments_list'])
    expect(await model.call('environments_list')).toContain('local online')
    const refused = await model.call('node_invoke', run(['true']))
    expect(refused).toContain('ERROR auth.forbidden')
    await until('it is noted', async () => {
      const entries = await served.audit({ action: 'command.invoke' })
      return entries.some(({ decision, actor }) => decision === 'denied' && actor.id === viewer.id) || undefined
    })
  })

  test('an approver sees no more than a viewer, and no tool answers approvals', async () => {
    await using model = await asModel('new', (await served.person('approver')).token)
    expect((await model.tools()).map(({ name }) => name)).toEqual(['environments_list'])
    await using operator = await asModel()
    const words = JSON.stringify(await operator.tools())
    expect(words).not.toContain('"approve"')
  })

  test('one model goes on with nothing that another has begun', async () => {
    await using model = await asModel()
    await using other = await asModel('new', (await served.person('operator', { name: 'another' })).token)
    const handle = handleIn(await model.call('node_invoke', run(['sleep', '60'], { wait_s: 0 })))
    expect(await other.call('node_invoke', { handle, cancel: true })).toContain('ERROR tool.handle_unknown')
    expect(await model.call('node_invoke', { handle, wait_s: 0 })).toContain('goes on')
    await model.call('node_invoke', { handle, cancel: true })
  })

  test('a request without a token, with one of no use, or from a foreign page reaches nothing', async () => {
    const listing = { id: 1, method: 'tools/list' }
    expect((await post(undefined, listing)).status).toBe(401)
    expect((await post('mop_nobody', listing)).status).toBe(401)
    expect((await post(token, listing, { Origin: 'https://evil.example' })).status).toBe(403)
    expect(await statusByHost('evil.example')).toBe(403)
    expect((await post(token, listing)).status).toBe(200)
    expect(await statusByHost(new URL(served.url).host)).toBe(200)
  })

  /** A name that was rebound to this machine shows in no other way. */
  async function statusByHost(host: string): Promise<number | undefined> {
    const headers = { ...jsonHeaders, Authorization: `Bearer ${token}`, Host: host }
    const asked = request(new URL('/mcp', served.url), { method: 'POST', headers })
    asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }

  test("who has another's session and request id cancels nothing of his with a token of his own", async () => {
    const { token: foreign } = await served.person('operator', { name: 'foreign' })
    const introduced = await post(token, {
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'mine', version: '1' } },
    })
    const session = introduced.headers.get('mcp-session-id') ?? ''
    expect(session).not.toBe('')
    const { argv, pid } = await lasting('foreign')
    const headers = { 'Mcp-Session-Id': session, 'Mcp-Protocol-Version': '2025-11-25' }
    const leaving = new AbortController()
    const params = { name: 'node_invoke', arguments: run(argv) }
    const call = post(token, { id: 7, method: 'tools/call', params }, headers, leaving.signal).then((answer) => answer.text())
    const program = await pid()
    const cancel = { method: 'notifications/cancelled', params: { requestId: 7 } }
    expect((await post(foreign, cancel, headers)).status).toBe(202)
    await post(token, cancel, { ...headers, 'Mcp-Session-Id': 'another' })
    expect(isAlive(program)).toBe(true)
    expect((await post(token, cancel, headers)).status).toBe(202)
    await until('it has ended', async () => (isAlive(program) ? undefined : true))
    leaving.abort()
    await call.catch(() => undefined)
  })

  test('a token that is revoked is of no more use, and what it began ends', async () => {
    const { token: brief, id } = await served.caller.call(createToken, { name: 'brief', role: 'operator' })
    await using model = await asModel('new', brief)
    const { argv, pid } = await lasting('revoked')
    const handle = handleIn(await model.call('node_invoke', run(argv, { wait_s: 0 })))
    const program = await pid()
    const waiting = model.call('node_invoke', { handle, wait_s: 60 }).catch((error: Error) => error)
    await served.caller.call(revokeToken, { token: id })
    expect(String(await waiting)).toMatch(/auth\.|closed|terminated|401|not known|Unauthorized/i)
    await until('it has ended', async () => (isAlive(program) ? undefined : true))
    await expect(model.call('node_invoke', { handle })).rejects.toThrow(/401|not known|Unauthorized/i)
  })
})

test.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
  'a client whose newest revision is %s is met there',
  async (revision) => {
    const answer = await post(token, {
      id: 1,
      method: 'initialize',
      params: { protocolVersion: revision, capabilities: {}, clientInfo: { name: 'old', version: '1' } },
    })
    expect(await answer.text()).toContain(`"protocolVersion":"${revision}"`)
  },
)

test('several messages in one request, as the revision of 2025-03-26 has it, are answered each; too many are refused', async () => {
  const calls = (count: number) =>
    Array.from({ length: count }, (_, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'environments_list' },
    }))
  const some = await post(token, calls(3))
  expect((await some.text()).match(/local online/g)?.length).toBe(3)
  expect((await post(token, calls(101))).status).toBe(400)
})

test.each(['GET', 'DELETE'])('%s, which only sessions need, is refused by its status', async (method) => {
  const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' }
  expect((await fetch(new URL('/mcp', served.url), { method, headers })).status).toBe(405)
})

describe('errors are written for a model', () => {
  test.each([
    [
      'a machine that there is not',
      { node_id: 'nowhere', command: 'exec', params: { argv: ['true'] } },
      ['host.unknown', 'Next: Call environments_list'],
    ],
    [
      'a command that there is not',
      { node_id: 'local', command: 'fly' },
      ['policy.denied', 'environments_list {"node_id":"local"}'],
    ],
    [
      'wrong parameters',
      { node_id: 'local', command: 'exec', params: { argv: 'ls' } },
      ['input.invalid', '{"node_id":"local","command":"exec"}', 'JSON Schema'],
    ],
    ['no arguments at all', {}, ['input.invalid', 'node_id and command are wanted, or a handle']],
    ['a field that there is not', { node: 'local' }, ['input.invalid', 'node']],
    ['a handle that there is not', { handle: 'inv_x' }, ['tool.handle_unknown', 'Call the command again']],
    [
      'an answer to an approval',
      { node_id: 'local', command: 'fleet.approve', params: { code: '123456' } },
      ['tool.no_approving', 'tell the person'],
    ],
    ['a run that there is not', { handle: 'run_x' }, ['run.unknown']],
  ])('%s', async (_what, args, parts) => {
    await using model = await asModel()
    const text = await model.call('node_invoke', args)
    expect(text.startsWith('ERROR ')).toBe(true)
    for (const part of parts) expect(text).toContain(part)
  })

  test('what models write otherwise than the schema is taken: null for nothing, and parameters as their JSON', async () => {
    await using model = await asModel('old')
    const text = await model.call('node_invoke', {
      node_id: 'local',
      command: 'exec',
      params: '{"argv": ["echo", "taken"]}',
      handle: null,
    })
    expect(text).toContain('taken')
  })
})

test('hosts that come and go, and runs that end, are told after a number', async () => {
  await using model = await asModel()
  const since = Number(/"since": (\d+)/.exec(await model.call('environments_list'))?.[1])
  const node = await served.join('comes')
  const { id } = await served.endOf(await served.submit({ kind: 'command', argv: ['true'] }, { host: 'comes' }))
  await node.cut()
  const news = await until('it is told', async () => {
    const text = await model.call('environments_list', { since })
    return text.includes('cannot be reached') && text.includes(id) ? text : undefined
  })
  expect(news).toContain('comes can be reached')
  expect(news).toContain(`run ${id} on comes ended: succeeded`)
  const next = Number(/"since": (\d+)/.exec(news)?.[1])
  expect(next).toBeGreaterThan(since)
  expect(await model.call('environments_list', { since: next })).toContain('Nothing happened')
  expect(await model.call('environments_list')).toMatch(/comes offline for \d+ s/)
  expect(await model.call('node_invoke', { node_id: 'comes', command: 'exec', params: { argv: ['true'] } })).toContain(
    'Nothing was begun',
  )
  await node[Symbol.asyncDispose]()
  await served.caller.call(removeHost, { host: 'comes' })
})

test.each([
  ['that this hub has not given out yet', 1_000_000],
  ['larger than any', 1e300],
])('a number %s is told as that, with how to get one', async (_what, since) => {
  await using model = await asModel()
  const text = await model.call('environments_list', { since })
  expect(text).toContain('ERROR events.ahead')
  expect(text).toContain('Next: Call environments_list without "since"')
})

test('200 calls at once are all answered, each with its own answer', async () => {
  await using model = await asModel()
  const numbers = Array.from({ length: 200 }, (_, i) => `number ${i}.`)
  const began = performance.now()
  const answers = await Promise.all(numbers.map((number) => model.call('node_invoke', run(['echo', number], { wait_s: 120 }))))
  console.log(`200 tool calls at once, each a process: ${Math.round(performance.now() - began)} ms`)
  expect(answers.filter((answer, i) => !answer.includes(`\n${numbers[i]}`))).toEqual([])
})
