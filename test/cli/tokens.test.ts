// `muster host token`: another token for a host, by real processes: what is printed, what counts no longer, and that work goes on.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../resources/eventually.ts'
import { type TestHome, testHome } from './muster.ts'

const countUp = join(import.meta.dirname, '..', 'programs', 'count-up.mjs')
let home: TestHome
let box: TestHome
let hubUrl: string

beforeAll(async () => {
  home = await testHome()
  box = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  hubUrl = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout).url.replace('http', 'ws')
})
afterAll(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

async function statusOf(name: string): Promise<string | undefined> {
  const { hosts } = JSON.parse((await home.muster(['host', 'list', '--json'])).stdout)
  return hosts.find((host: { name: string }) => host.name === name)?.status
}

const startNode = (token?: string) =>
  box.start(['node', '--hub', hubUrl, '--allow', 'runs', ...(token ? ['--token-stdin'] : [])], { stdin: token ?? '' })

const online = (name: string) => eventually(async () => expect(await statusOf(name)).toBe('online'))

async function filesWith(dir: string, text: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const holding = await Promise.all(files.map(async (file) => ((await readFile(file)).includes(text) ? [file] : [])))
  return holding.flat()
}

test('a host that dials in gets one that is printed once; its node ends, and joins again with it; what ran there went on', async () => {
  const first = JSON.parse((await home.muster(['node', 'enroll', 'box', '--json'])).stdout)
  const node = startNode(first.token)
  await online('box')
  const run = (await home.muster(['exec', 'box', '--detach', '--', process.execPath, countUp, '300', '10'])).stdout.trim()

  const shown = await home.muster(['host', 'token', 'box', '--hub-url', hubUrl])
  expect(shown).toMatchObject({ code: 0, stderr: expect.stringMatching(/what it runs goes on[\s\S]*shown this once/) })
  const [token = ''] = /mnode_\w+/.exec(shown.stdout) ?? []
  expect(shown.stdout).toMatch(new RegExp(`^token replaced: box \\(${first.host}\\)\\n`))
  expect(shown.stdout).toContain(`muster node --hub ${hubUrl} --node-id ${first.host} --allow runs --token-stdin`)
  expect(token).not.toBe(first.token)
  const ended = await node.ended
  expect(ended.code).toBe(3)
  expect(ended.stderr).toMatch(/replaced at the hub[\s\S]*hint: [\s\S]*muster host token NAME/)

  const refused = await startNode(first.token).ended
  expect(refused).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('The enrolment token is malformed, unknown, replaced'),
  })
  const again = startNode(token)
  await online('box')
  const logs = await home.muster(['run', 'logs', '-f', run])
  expect(logs.stdout).toBe(Array.from({ length: 300 }, (_, index) => `${index + 1}\n`).join(''))
  for (const dir of [home.dir, box.dir]) for (const text of [token, first.token]) expect(await filesWith(dir, text)).toEqual([])

  again.child.kill('SIGTERM')
  expect((await again.ended).code).toBe(0)
  startNode()
  await online('box')
})

test('a host that is shown one is given what comes on standard input; who reads there reads on, and the former one may be revoked', async () => {
  await using far = await testHome()
  await far.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  const { url } = JSON.parse((await far.muster(['hub', 'status', '--json'])).stdout)
  const tokenOf = async (name: string) =>
    JSON.parse((await far.muster(['token', 'create', name, '--role', 'operator', '--json'])).stdout) as {
      id: string
      token: string
    }
  const [first, second] = [await tokenOf('first'), await tokenOf('second')]
  await home.muster(['host', 'add', 'far', '--url', url, '--token-stdin'], { stdin: first.token })
  const run = (await home.muster(['exec', 'far', '--detach', '--', process.execPath, countUp, '300', '10'])).stdout.trim()
  const reader = home.start(['run', 'logs', '-f', run])
  await eventually(() => expect(reader.stdout()).toContain('\n20\n'))

  const replaced = await home.muster(['host', 'token', 'far', '--token-stdin'], { stdin: `${second.token}\n` })
  expect(replaced).toMatchObject({ code: 0, stdout: expect.stringMatching(/^token replaced: far \(host_\w+\)\n$/) })
  expect(replaced.stderr).toMatch(/far answered within \d+ ms/)
  expect((await far.muster(['token', 'revoke', first.id])).code).toBe(0)
  expect((await home.muster(['exec', 'far', '--', 'echo', 'there'])).stdout).toBe('there\n')
  expect((await reader.ended).stdout).toBe(Array.from({ length: 300 }, (_, index) => `${index + 1}\n`).join(''))

  expect(await filesWith(home.dir, first.token)).toEqual([])
  expect(await filesWith(home.dir, second.token)).toEqual([expect.stringMatching(/hub\/secrets\/host_\w+\.secret$/)])
  const wrong = await home.muster(['host', 'token', 'far', '--token-stdin'], { stdin: 'not-the-one' })
  expect(wrong.stderr).toMatch(
    /far has another token, but does not answer: unauthorised: [\s\S]*muster host token far --token-stdin/,
  )
})

test('what does not fit the host is refused with what to do, and nothing is printed', async () => {
  await home.muster(['node', 'enroll', 'idle'])
  for (const [name, options, code, says] of [
    ['local', [], 3, 'This hub has no token for local'],
    ['nobody', [], 4, 'There is no host nobody'],
    ['idle', ['--token-stdin'], 2, '`muster host token idle` prints a new one'],
  ] as const) {
    const refused = await home.muster(['host', 'token', name, ...options], { stdin: 'x' })
    expect(refused, name).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) })
  }
  const json = JSON.parse((await home.muster(['host', 'token', 'idle', '--json'])).stdout)
  expect(json).toMatchObject({
    host: { name: 'idle', status: 'never_seen' },
    joining: { token: expect.stringMatching(/^mnode_/) },
  })
})
