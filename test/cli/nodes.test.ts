// A second host, joined through the tunnel by the printed command's means; commands on several hosts; what people read of them.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { HostRow } from '../../src/contract/host.ts'
import { type Running, type TestHome, testHome } from './muster.ts'

let home: TestHome
let box: TestHome
let node: Running
let hubUrl: string
let enrolled: { host: string; name: string; token: string; command: string; commandStdin: string }

beforeAll(async () => {
  home = await testHome()
  box = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  hubUrl = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout).url
  enrolled = JSON.parse((await home.muster(['node', 'enroll', 'box', '--label', 'zone=eu', '--json'])).stdout)
  node = startNode(enrolled.token)
  await vi.waitFor(async () => expect(await statusOf('box')).toBe('online'), 30_000)
})
afterAll(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

function startNode(token?: string): Running {
  const args = [
    'node',
    '--hub',
    hubUrl.replace('http', 'ws'),
    '--allow',
    'runs',
    ...(token === undefined ? [] : ['--token-stdin']),
  ]
  return box.start(args, { stdin: token ?? '' })
}

async function statusOf(name: string): Promise<string | undefined> {
  const { hosts } = JSON.parse((await home.muster(['host', 'list', '--json'])).stdout)
  return hosts.find((host: { name: string }) => host.name === name)?.status
}

test('enrolling prints the id, one command whose token is in no list of processes, and that it is shown once', async () => {
  const shown = await home.muster(['node', 'enroll', 'laptop'])
  expect(shown.stderr).toMatch(/shown this once/)
  expect(shown.stdout).toMatch(/^enrolled: laptop \(host_[0-9A-Z]{26}\)\n/)
  expect(shown.stdout).toMatch(
    /\n\nRun this on that machine:\n {2}echo mnode_\w+ \| muster node --hub ws:\/\/127\.0\.0\.1:\d+ --node-id \w+ --allow runs --token-stdin\n$/,
  )
  const again = await home.muster(['node', 'enroll', 'Laptop'])
  expect(again).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('exists already') })
})

test('what a host is trusted with is said at its enrolment; all, where nothing is said', async () => {
  await home.muster(['node', 'enroll', 'narrow', '--trust', 'procs'])
  const { hosts } = JSON.parse((await home.muster(['host', 'list', '--json'])).stdout) as { hosts: HostRow[] }
  expect(hosts.find(({ name }) => name === 'narrow')?.trust).toEqual(['procs'])
  expect(hosts.find(({ name }) => name === 'box')?.trust).toEqual(['*'])
})

test('the node says who it is now and gets the token by nothing that a process list shows', () => {
  const joined = node
    .stderr()
    .split('\n')
    .filter((line) => line.includes(enrolled.host))
  expect(joined.map((line) => JSON.parse(line))).toMatchObject([{ msg: 'joined the hub', host: enrolled.host, name: 'box' }])
  expect(node.child.spawnargs.join(' ')).not.toContain(enrolled.token)
  expect(node.stderr()).not.toContain(enrolled.token)
})

test('host list and show know it, local first', async () => {
  const list = await home.muster(['host', 'list'])
  const [heading, first, second] = list.stdout.split('\n')
  expect(heading).toMatch(/^ID +NAME +LABEL +STATUS +VERSION +ACTIVE +LABELS$/)
  expect(first).toMatch(/^local +local +local +online/)
  expect(second).toMatch(new RegExp(`^${enrolled.host} +box +tunnel:${enrolled.host} +online +[\\d.]+ +0 +zone=eu$`))
  const show = await home.muster(['host', 'show', 'BOX'])
  expect(show.stdout).toMatch(/^host: +box$/m)
  expect(show.stdout).toMatch(/^allows: +runs$/m)
  expect(await home.muster(['host', 'show', 'nobody'])).toMatchObject({ code: 4, stdout: '' })
})

test('a command on it passes bytes and exit code through the tunnel', async () => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 256))
  const ended = await home.muster(['exec', 'box', '--', 'sh', '-c', 'cat; exit 9'], { stdin: bytes })
  expect(ended.code).toBe(9)
  expect(ended.bytes.equals(bytes)).toBe(true)
})

test('several hosts: prefixed lines, a summary, 0 only if all succeeded', async () => {
  const both = await home.muster(['exec', 'local,box', '--', 'sh', '-c', 'echo one; echo two'])
  expect(both.code).toBe(0)
  expect(both.stdout.trimEnd().split('\n').sort()).toEqual(['box   | one', 'box   | two', 'local | one', 'local | two'])
  expect(both.stderr).toBe('exit 0: local, box\n')
  const apart = await home.muster(['exec', 'local,box', '--shell', '--', `test -d ${box.dir}/host/nothing || exit 4`])
  expect(apart).toMatchObject({ code: 1, stderr: 'exit 4: local, box\n' })
})

test('one host that is away does not spoil the rest', async () => {
  const ended = await home.muster(['exec', 'local,nobody,box', '--', 'echo', 'here'])
  expect(ended.code).toBe(1)
  expect(ended.stdout).toMatch(/local +\| here/)
  expect(ended.stdout).toMatch(/box +\| here/)
  expect(ended.stderr).toMatch(/^exit 0: local, box\nnobody: There is no host nobody\. hint: /)
})

test('--fold shows equal outputs once', async () => {
  const ended = await home.muster(['exec', 'local,box', '--fold', '--', 'echo', 'same'])
  expect(ended.stdout).toBe('== local, box (2 hosts)\nsame\n')
})

test('--json and --detach for several hosts', async () => {
  const { runs } = JSON.parse((await home.muster(['exec', 'local,nobody', '--json', '--', 'echo', 'x'])).stdout)
  expect(runs).toMatchObject([
    { host: 'local', state: 'succeeded', stdout: 'x\n' },
    { host: 'nobody', run: null, error: { code: 'host.unknown' } },
  ])
  const detached = await home.muster(['exec', 'local,box', '--detach', '--', 'true'])
  expect(detached.stdout).toMatch(/^local run_\w+\nbox run_\w+\n$/)
})

test('lists show what ran, by host; logs and events come back', async () => {
  const run = (
    await home.muster(['exec', 'box', '--detach', '--', 'sh', '-c', 'echo a; echo b >&2; sleep 0.3; echo c'])
  ).stdout.trim()
  const followed = await home.muster(['run', 'logs', '-f', run])
  expect(followed).toMatchObject({ code: 0, stdout: 'a\nc\n', stderr: 'b\n' })
  expect((await home.muster(['run', 'logs', run, '--stream', 'merged'])).stdout).toBe('a\nb\nc\n')
  expect(await home.muster(['run', 'logs', run, '--stream', 'stderr'])).toMatchObject({ stdout: 'b\n', stderr: '' })
  const chunks = (await home.muster(['run', 'logs', run, '--json'])).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(chunks.map(({ chunk }) => chunk)).toEqual(chunks.map((_, i) => i + 1))
  const last = chunks.at(-1)
  expect((await home.muster(['run', 'logs', run, '--since', String(last.chunk - 1)])).stdout).toBe('c\n')
  expect((await home.muster(['run', 'logs', run, '--since', '1h', '--stream', 'stdout'])).stdout).toBe('a\nc\n')
  const watched = await home.muster(['run', 'watch', run])
  expect(watched.code).toBe(0)
  expect(watched.stdout).toMatch(/accepted sh -c[\s\S]* running\n[\s\S]* succeeded exit 0\n$/)
  const listed = JSON.parse((await home.muster(['run', 'list', '--host', 'box', '--json'])).stdout)
  expect(listed.runs.map(({ host }: { host: string }) => host)).toEqual(listed.runs.map(() => 'box'))
  expect(listed.runs.some(({ id }: { id: string }) => id === run)).toBe(true)
  expect((await home.muster(['run', 'list', '--limit', '1'])).stdout.trimEnd().split('\n')).toHaveLength(2)
  expect((await home.muster(['run', 'show', run])).stdout).toMatch(/^state: +succeeded$/m)
  expect(await home.muster(['run', 'show', 'run_none'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('There is no run run_none'),
  })
})

test('left with Ctrl-C, those of several hosts that have ended are not said to go on', async () => {
  const left = home.start(['exec', 'local,box', '-n', '--', 'sh', '-c', 'test "$MUSTER_HOST" = local || exec sleep 60'])
  const states = async () => {
    const { runs } = JSON.parse((await home.muster(['run', 'list', '--limit', '2', '--json'])).stdout)
    return runs.map(({ host, state }: { host: string; state: string }) => `${host} ${state}`).sort()
  }
  await vi.waitFor(async () => expect(await states()).toEqual(['box running', 'local succeeded']), 30_000)
  left.child.kill('SIGINT')
  const { code, stderr } = await left.ended
  expect(code).toBe(130)
  const [, run = ''] = /^Run (run_\w+) goes on\.$/m.exec(stderr) ?? []
  expect(await home.muster(['run', 'show', run])).toMatchObject({ code: 0, stdout: expect.stringContaining('box') })
  expect((await home.muster(['run', 'cancel', run])).code).toBe(0)
})

test('stopped it is offline: a command fails at once, waits with --queue, and the node joins again without its token', async () => {
  node.child.kill('SIGTERM')
  expect((await node.ended).code).toBe(0)
  await vi.waitFor(async () => expect(await statusOf('box')).toBe('offline'), 30_000)
  expect(await home.muster(['exec', 'box', '--', 'true'])).toMatchObject({
    code: 255,
    stderr: expect.stringMatching(/box cannot be reached[\s\S]*--queue/),
  })
  const queued = home.start(['exec', 'box', '-n', '--queue', '--', 'echo', 'later'])
  await vi.waitFor(async () => {
    const { runs } = JSON.parse((await home.muster(['run', 'list', '--state', 'queued', '--json'])).stdout)
    expect(runs).toHaveLength(1)
  }, 30_000)
  const run = /box has not taken (run_\w+) yet\.\nIt waits and .*`muster run cancel \1`/
  await vi.waitFor(() => expect(queued.stderr()).toMatch(run), 30_000)
  node = startNode()
  expect(await queued.ended).toMatchObject({ code: 0, stdout: 'later\n' })
})

test('removed, it is refused for good', async () => {
  expect((await home.muster(['host', 'remove', 'local'])).code).toBe(3)
  expect(await home.muster(['host', 'remove', 'box'])).toMatchObject({ code: 0, stdout: `removed: ${enrolled.host}\n` })
  const ended = await node.ended
  expect(ended.code).toBe(3)
  expect(ended.stderr).toMatch(/does not know this node's key/)
  expect(await statusOf('box')).toBeUndefined()
  expect((await home.muster(['host', 'remove', 'box'])).code).toBe(4)
})

test('--output keeps the result for its owner alone, since it may hold a token', async () => {
  const kept = join(home.dir, 'kept.json')
  expect((await home.muster(['node', 'enroll', 'kept', '--output', kept])).code).toBe(0)
  expect(JSON.parse(await readFile(kept, 'utf8')).token).toMatch(/^mnode_/)
  expect((await stat(kept)).mode & 0o777).toBe(0o600)
})
