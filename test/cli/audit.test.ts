// `muster audit` and what `muster token` tells, by real processes: the log of a hub that was at work, its export, and a database that
// somebody has changed.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestHome, testHome } from './muster.ts'

let home: TestHome
let url: string

beforeAll(async () => {
  home = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  url = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout).url
})
afterAll(() => home[Symbol.asyncDispose]())

const json = async (args: readonly string[]) => JSON.parse((await home.muster([...args, '--json'])).stdout)

test('tokens show how long they are good for, who minted them and when they were used; what a revoked one has minted goes with it', async () => {
  const created = await home.muster(['token', 'create', 'boss', '--role', 'operator', '--expires', '30d'])
  expect(created).toMatchObject({ code: 0, stderr: expect.stringMatching(/operator, until \d{4}-/) })
  const env = { MUSTER_HUB: url, MUSTER_TOKEN: created.stdout.trim() }
  const beyond = await home.muster(['token', 'create', 'child', '--role', 'viewer', '--expires', '31d'], { env })
  expect(beyond).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/live no longer, than who mints it/) })
  await home.muster(['token', 'create', 'child', '--role', 'approver'], { env })
  const { stdout } = await home.muster(['token', 'list'])
  expect(stdout).toMatch(/NAME +ROLE +CREATED +BY +LAST USED +GOOD/)
  expect(stdout).toMatch(/boss +operator +(just now|\d+ \w+ ago) +local-socket +(just now|\d+ \w+ ago) +for (29d 23h|30d 00h)/)
  expect(stdout).toMatch(/child +approver +(just now|\d+ \w+ ago) +tok_\w+ \(boss\) +never +for (29d 23h|30d 00h)/)
  const { tokens } = await json(['token', 'list'])
  const [boss] = tokens
  const revoked = await home.muster(['token', 'revoke', boss.id])
  expect(revoked).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^And what it has minted: child \(approver, tok_\w+\)$/m),
  })
  expect((await home.muster(['token', 'list'])).stdout.match(/revoked/g)).toHaveLength(2)
  expect((await home.muster(['host', 'list'], { env })).code).toBe(3)
})

test('the log is listed for people, with names of hosts, and narrowed by who, what, when and what was decided', async () => {
  await home.muster(['exec', 'local', '--', 'true'])
  const { stdout } = await home.muster(['audit', 'list', '--action', 'fleet.submit'])
  expect(stdout).toMatch(
    /^N +AT +WHO +DECISION +ACTION +HOST +WHAT\n\d+ +\S+Z +local-socket +allowed +fleet.submit +local +run_\w+/,
  )
  expect((await json(['audit', 'list', '--decision', 'denied', '--since', '1h'])).entries).not.toEqual([])
  expect((await json(['audit', 'list', '--until', '1h'])).entries).toEqual([])
  expect((await json(['audit', 'list', '--actor', 'boss'])).entries[0].actor).toMatchObject({ name: 'boss', role: 'operator' })
  const page = await home.muster(['audit', 'list', '--limit', '1'])
  expect(page.stderr).toMatch(/There are older ones: --before \d+/)
  expect(await home.muster(['audit', 'list', '--since', 'once'])).toMatchObject({ code: 2 })
})

test('a log, its export and a head that was noted agree until somebody changes one of them', async () => {
  const sound = await json(['audit', 'verify'])
  expect(sound).toMatchObject({ ok: true, firstBad: null })
  const told = await home.muster(['audit', 'verify', '--head', sound.head])
  expect(told).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+ entries, each as it was written\nhead: \d+:[0-9a-f]{64}\n$/),
  })

  const exported = await home.muster(['audit', 'export'])
  const file = join(home.dir, 'audit.jsonl')
  await writeFile(file, exported.stdout)
  // No hub is asked for an export.
  const offline = { env: { MUSTER_HOME: join(home.dir, 'none'), MUSTER_HUB: 'http://127.0.0.1:9' } }
  const checkFile = (...more: string[]) => home.muster(['audit', 'verify', '--file', file, ...more], offline)
  expect(await checkFile('--head', sound.head)).toMatchObject({ code: 0 })
  const lines = (await readFile(file, 'utf8')).split('\n')
  await writeFile(file, [...lines.slice(0, 2), lines[2]?.replace('"at":"2', '"at":"3'), ...lines.slice(3)].join('\n'))
  expect(await checkFile()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 3 is bad: /) })
  // What one reader takes for the value, another passes over.
  await writeFile(file, [lines[0]?.replace('"decision":', '"decision":"denied","decision":'), ...lines.slice(1)].join('\n'))
  expect(await checkFile()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 1 is bad: its line is not as/) })
  await writeFile(file, `${lines[0]?.replace('{', '{"\\u001b[2J":1,')}\n`)
  expect(await checkFile()).toMatchObject({ code: 1, stdout: expect.stringContaining('\\x1b[2J') })
  await writeFile(file, lines.slice(0, 2).join('\n'))
  expect(await checkFile()).toMatchObject({ code: 0 })
  expect(await checkFile('--head', sound.head)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^entry 3 is bad: it is missing/),
  })
  const second = JSON.parse(lines[1] ?? '{}')
  await writeFile(file, lines.slice(2).join('\n'))
  expect(await checkFile('--from', `2:${second.hash}`)).toMatchObject({ code: 0 })
  expect(await checkFile()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 1 is bad: it is missing/) })
  await writeFile(file, 'no JSON\n')
  expect(await checkFile()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 1 is bad: it is no entry/) })

  using database = new DatabaseSync(join(home.dir, 'hub', 'hub.db'), { timeout: 5_000 })
  database.exec("update audit set actor_id = 'somebody' where n = 4")
  expect(await home.muster(['audit', 'verify'])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 4 is bad: /) })
})

test('the log of a host is read on its machine, by the same commands, while it runs and when it does not, and no hub is asked', async () => {
  const own = async (args: readonly string[], env = {}) =>
    home.muster(['node', 'audit', ...args], { env: { MUSTER_HUB: 'http://127.0.0.1:9', ...env } })
  const ran = await home.muster(['exec', 'local', '--', 'true'])
  expect(ran.code).toBe(0)
  const listed = await own(['list', '--action', 'run.start', '--decision', 'allowed'])
  expect(listed.stdout).toMatch(/^N +AT +WHO +DECISION +ACTION +HOST +WHAT\n\d+ +\S+Z +hub +allowed +run.start +run_\w+/)
  const sound = JSON.parse((await own(['verify', '--json'])).stdout)
  expect(sound).toMatchObject({ ok: true, firstBad: null })
  // It is another log than the hub's.
  expect((await home.muster(['audit', 'verify', '--head', sound.head])).code).toBe(1)
  const file = join(home.dir, 'own.jsonl')
  await writeFile(file, (await own(['export'])).stdout)
  expect(await own(['verify', '--file', file, '--head', sound.head])).toMatchObject({ code: 0 })

  await home.muster(['hub', 'stop'])
  expect(await own(['verify', '--head', sound.head])).toMatchObject({ code: 0 })
  const database = new DatabaseSync(join(home.dir, 'host', 'host.db'))
  database.exec("update audit set decision = 'denied' where n = 1")
  database.close()
  expect(await own(['verify'])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^entry 1 is bad: /) })

  const nowhere = { MUSTER_HOME: join(home.dir, 'none') }
  expect(await own(['list'], nowhere)).toMatchObject({ code: 4, stderr: expect.stringContaining('muster node audit list') })
  await mkdir(join(home.dir, 'torn', 'host'), { recursive: true })
  await writeFile(join(home.dir, 'torn', 'host', 'host.db'), 'no database, but long enough to be looked at'.repeat(40))
  expect(await own(['list'], { MUSTER_HOME: join(home.dir, 'torn') })).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/host\.db cannot be read: file is not a database/),
  })
})
