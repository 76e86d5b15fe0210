// Bad input, for every command: one clear sentence, a hint, the right exit code, and nothing changed.

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitCode } from '../../src/contract/errors.ts'
import { type TestHome, testHome } from './muster.ts'

const usage = exitCode.usage
const steering = '\x1b[31mred\x1b[0m'
const huge = 'x'.repeat(100_000)

interface Case {
  readonly args: readonly string[]
  readonly exit: number
  readonly says: RegExp
  readonly env?: Record<string, string>
  readonly stdin?: string
}

const cases: readonly Case[] = [
  // The program itself.
  { args: ['exce'], exit: usage, says: /Unknown command 'exce'[\s\S]*Did you mean exec\?/ },
  { args: [steering], exit: usage, says: /Unknown command '\\x1b\[31mred/ },
  { args: [huge], exit: usage, says: /Unknown command 'x+…/ },
  { args: ['--jsno'], exit: usage, says: /Unknown option '--jsno'/ },
  { args: [''], exit: usage, says: /Unknown command ''/ },
  // up
  { args: ['up', '--bind', 'nowhere'], exit: usage, says: /ADDRESS:PORT/ },
  { args: ['up', 'extra'], exit: usage, says: /Too many arguments/ },
  { args: ['up', '--bind', '0.0.0.0:0'], exit: exitCode.refused, says: /can be reached from other machines/ },
  // hub
  { args: ['hub'], exit: usage, says: /`muster hub` needs one of: serve, start, stop, status/ },
  { args: ['hub', 'sevre'], exit: usage, says: /Did you mean serve\?/ },
  { args: ['hub', 'serve', '--bind'], exit: usage, says: /argument missing/ },
  { args: ['hub', 'serve', '--bind', '127.0.0.1:99999'], exit: usage, says: /ADDRESS:PORT/ },
  { args: ['hub', 'serve', '--bind', '127.0.0.1:0', '--bind', '127.0.0.1:1'], exit: usage, says: /given twice/ },
  { args: ['hub', 'serve', '--bind', '0.0.0.0:0'], exit: exitCode.refused, says: /no token was given/ },
  { args: ['hub', 'serve', '--bind', '0.0.0.0:0', '--token-stdin'], exit: usage, says: /No token came/, stdin: '' },
  { args: ['hub', 'serve', '--bind', '0.0.0.0:0', '--token-stdin'], exit: usage, says: /is no token/, stdin: 'two words' },
  { args: ['hub', 'start', '--bind', '0.0.0.0:0'], exit: exitCode.refused, says: /no token was given/ },
  { args: ['hub', 'start', '--label', ''], exit: usage, says: /It is empty/ },
  { args: ['hub', 'serve', '--store', 'nonsense'], exit: usage, says: /postgres:\/\// },
  { args: ['hub', 'stop', 'now'], exit: usage, says: /Too many arguments/ },
  { args: ['hub', 'status', '--bind', 'x'], exit: usage, says: /Unknown option '--bind'/ },
  // host
  { args: ['host'], exit: usage, says: /needs one of: list, show, commands, add, rename, label, trust, token, remove/ },
  { args: ['host', 'list', 'x'], exit: usage, says: /Too many arguments/ },
  { args: ['host', 'list'], exit: exitCode.unavailable, says: /No hub answers/ },
  { args: ['host', 'list', '--output', ''], exit: usage, says: /name of a file/ },
  { args: ['host', 'list', '--output', '-n'], exit: usage, says: /name of a file/ },
  { args: ['host', 'list', '--output', 'a', '--output', 'b'], exit: usage, says: /given twice/ },
  {
    args: ['host', 'list'],
    exit: usage,
    says: /MUSTER_TOKEN is no token/,
    env: { MUSTER_HUB: 'http://127.0.0.1:1', MUSTER_TOKEN: 'a\nb' },
  },
  { args: ['host', 'show'], exit: usage, says: /Missing required argument 'host'/ },
  { args: ['host', 'show', steering], exit: usage, says: /control characters/ },
  { args: ['host', 'show', ''], exit: usage, says: /The host "" is not valid/ },
  { args: ['host', 'show', huge], exit: usage, says: /it has more than 128 characters/ },
  { args: ['host', 'add'], exit: usage, says: /Missing required argument 'name'/ },
  { args: ['host', 'add', 'web'], exit: usage, says: /needs one way to reach the host/ },
  { args: ['host', 'add', 'web', '--ssh', 'a', '--bucket', 'file:///b'], exit: usage, says: /reached one way/ },
  { args: ['host', 'add', 'web', '--ssh', 'a', '--pin', 'x'], exit: usage, says: /--pin goes with --url, not with --ssh/ },
  { args: ['host', 'add', 'web', '--ssh', 'a', '--token', 'x'], exit: usage, says: /takes no token/ },
  {
    args: ['host', 'add', 'web', '--url', 'https://a.example'],
    exit: usage,
    says: /reached by its URL and wants a token, and none was given/,
  },
  { args: ['host', 'rename', 'web'], exit: usage, says: /Missing required argument 'name'/ },
  { args: ['host', 'rename', 'web', 'a b'], exit: usage, says: /a host name is 1 to 63/ },
  { args: ['host', 'label'], exit: usage, says: /Missing required argument 'host'/ },
  { args: ['host', 'label', 'web', 'nothing'], exit: usage, says: /is no change of a label/ },
  { args: ['host', 'remove'], exit: usage, says: /Missing required argument/ },
  { args: ['host', 'remove', 'a', 'b'], exit: usage, says: /Too many arguments/ },
  // node
  { args: ['node'], exit: usage, says: /needs the hub's address/ },
  { args: ['node', '--hub', 'ftp://x'], exit: usage, says: /hub's address such as wss/ },
  { args: ['node', '--hub', 'wss://user:secret@x'], exit: usage, says: /hub's address such as wss/ },
  { args: ['node', '--hub', 'wss://127.0.0.1:1', '--allow', 'Everything'], exit: usage, says: /a command such as runs/ },
  { args: ['node', '--hub', 'wss://127.0.0.1:1', '--token', 'a', '--token-stdin'], exit: usage, says: /given twice/, stdin: 'a' },
  { args: ['node', '--hub', 'wss://127.0.0.1:1', '--token', 'nonsense'], exit: exitCode.refused, says: /token is malformed/ },
  {
    args: ['node', '--hub', 'wss://127.0.0.1:1'],
    exit: exitCode.refused,
    says: /has not joined a hub at wss.*, and no token was given\./,
  },
  { args: ['node', '--hub', 'ws://192.0.2.1:7878'], exit: exitCode.refused, says: /in the clear/ },
  { args: ['node', 'enroll'], exit: usage, says: /Missing required argument 'name'/ },
  { args: ['node', 'enroll', '../etc'], exit: usage, says: /a host name is 1 to 63/ },
  { args: ['node', 'enroll', steering], exit: usage, says: /is not valid/ },
  { args: ['node', 'enroll', 'web', '--label', 'nolabel'], exit: usage, says: /NAME=VALUE/ },
  { args: ['node', 'enroll', 'web', '--label', 'a=1', '--label', 'a=2'], exit: usage, says: /given twice/ },
  {
    args: ['node', 'enroll', 'web', '--label', 'a b=1'],
    exit: usage,
    says: /A label is not valid: a b: a label's name is 1 to 63 letters/,
  },
  { args: ['node', 'enroll', 'web', '--hub-url', 'nowhere'], exit: usage, says: /hub's address such as wss/ },
  { args: ['node', 'pull'], exit: usage, says: /needs a bucket/ },
  { args: ['node', 'pull', '--bucket', '/srv/drop'], exit: usage, says: /s3:\/\/NAME, gs:\/\/NAME or file:\/\/\/DIRECTORY/ },
  { args: ['node', 'pull', '--bucket', 's3://b', '--interval', '0'], exit: usage, says: /is invalid/ },
  { args: ['node', 'pull', '--bucket', 's3://b', '--concurrency', '0'], exit: usage, says: /whole number/ },
  { args: ['node', 'attach', 'x'], exit: usage, says: /Too many arguments/ },
  { args: ['node', 'daemon', '--allow', 'all'], exit: usage, says: /Everything is written '\*'/ },
  { args: ['node', 'daemon', '--idle', 'soon'], exit: usage, says: /It is a duration/ },
  // exec: what commander finds is a usage error; everything later is 255.
  { args: ['exec'], exit: usage, says: /Missing required argument 'hosts'/ },
  { args: ['exec', 'local'], exit: 255, says: /No command is given/ },
  { args: ['exec', 'local', 'ls'], exit: 255, says: /does not stand after "--"/ },
  { args: ['exec', 'local', 'ls', '-la'], exit: usage, says: /Unknown option '-la'/ },
  { args: ['exec', 'a,a', '--', 'ls'], exit: 255, says: /The host a is named twice/ },
  { args: ['exec', 'a,,b', '--', 'ls'], exit: 255, says: /name is missing/ },
  { args: ['exec', `a${steering}`, '--', 'ls'], exit: 255, says: /control characters/ },
  { args: ['exec', 'local', '--timeout', 'soon', '--', 'ls'], exit: usage, says: /It is a duration/ },
  { args: ['exec', 'local', '--timeout', '1s', '--timeout', '2s', '--', 'ls'], exit: usage, says: /given twice/ },
  { args: ['exec', 'local', '--env', '1A=b', '--', 'ls'], exit: usage, says: /not a variable's name/ },
  { args: ['exec', 'local', '--env', 'A=1', '--env', 'A=2', '--', 'ls'], exit: 255, says: /given twice/ },
  { args: ['exec', 'local', '--env', 'MUSTER_TEST_UNSET', '--', 'ls'], exit: 255, says: /MUSTER_TEST_UNSET is not set here/ },
  { args: ['exec', 'local', '--', ''], exit: 255, says: /command's name is empty/ },
  { args: ['exec', 'local', '--', 'true'], exit: 255, says: /No hub answers/ },
  { args: ['exec', 'local', '--', 'true'], exit: 255, says: /MUSTER_HUB is not the address/, env: { MUSTER_HUB: 'not a url' } },
  {
    args: ['exec', 'local', '--', 'true'],
    exit: 255,
    says: /No hub answers at http:\/\/127\.0\.0\.1:1/,
    env: { MUSTER_HUB: 'http://127.0.0.1:1' },
  },
  {
    args: ['host', 'list'],
    exit: exitCode.refused,
    says: /in the clear[\s\S]*MUSTER_INSECURE=1/,
    env: { MUSTER_HUB: 'http://192.0.2.1:7878' },
  },
  { args: ['host', 'list'], exit: usage, says: /MUSTER_HUB is not the address/, env: { MUSTER_HUB: 'https://user:secret@hub' } },
  // run
  { args: ['run', 'lits'], exit: usage, says: /Did you mean list\?/ },
  { args: ['run', 'list', '--limit', '0'], exit: usage, says: /whole number from 1 to 1000/ },
  { args: ['run', 'list', '--limit', '1e3'], exit: usage, says: /whole number/ },
  { args: ['run', 'list', '--state', 'dead'], exit: usage, says: /no such state[\s\S]*queued, claimed/ },
  { args: ['run', 'list', '--kind', 'agent'], exit: usage, says: /one of command, workflow/ },
  { args: ['run', 'list', '--parent', '../x'], exit: usage, says: /The run id "\.\.\/x" is not valid/ },
  { args: ['run', 'list', '--before', huge], exit: usage, says: /The page "x+…" is not valid: it has more than 512 characters/ },
  { args: ['run', 'show'], exit: usage, says: /Missing required argument 'run'/ },
  { args: ['run', 'show', '../../etc/passwd'], exit: usage, says: /The run id/ },
  { args: ['run', 'show', 'run_a', 'run_b'], exit: usage, says: /Too many arguments/ },
  { args: ['run', 'logs', `run${steering}`], exit: usage, says: /The run id "run\\x1b/ },
  { args: ['run', 'logs', 'run_a', '--since', 'yesterday'], exit: usage, says: /no chunk number, time or duration/ },
  { args: ['run', 'logs', 'run_a', '--stream', 'all'], exit: usage, says: /one of both, merged, stdout, stderr/ },
  { args: ['run', 'cancel', huge], exit: usage, says: /The run id/ },
  { args: ['run', 'cancel', 'run_a', '--grace', '-1s'], exit: usage, says: /Unknown option|argument missing|duration/ },
  { args: ['run', 'pause'], exit: usage, says: /Missing required argument 'run'/ },
  { args: ['run', 'pause', '../x'], exit: usage, says: /The run id/ },
  { args: ['run', 'resume', 'run_a', 'run_b'], exit: usage, says: /Too many arguments/ },
  { args: ['run', 'watch', 'a..b'], exit: usage, says: /has no "\.\."/ },
  { args: ['run', 'watch', 'run_a'], exit: exitCode.unavailable, says: /No hub answers/ },
  // workflow
  { args: ['workflow'], exit: usage, says: /needs one of: run/ },
  { args: ['workflow', 'run'], exit: usage, says: /Missing required argument 'file'/ },
  {
    args: ['workflow', 'run', 'no-such.yaml'],
    exit: exitCode.environment,
    says: /no-such\.yaml cannot be read: there is no such file/,
  },
  { args: ['workflow', 'run', huge], exit: exitCode.environment, says: /^x+…\nhint/ },
  { args: ['workflow', 'run', '/'], exit: exitCode.environment, says: /it is a directory/ },
  { args: ['workflow', 'run', 'x.yaml', '--input', 'novalue'], exit: usage, says: /NAME=VALUE/ },
  // token
  { args: ['token', 'create'], exit: usage, says: /Missing required argument 'name'/ },
  { args: ['token', 'create', ''], exit: usage, says: /token's name "" is not valid/ },
  { args: ['token', 'create', 'x', '--role', 'root'], exit: usage, says: /one of operator, approver, viewer/ },
  { args: ['token', 'create', steering], exit: usage, says: /a name has no control characters/ },
  { args: ['token', 'revoke', huge], exit: usage, says: /it has more than 128 characters/ },
  { args: ['token', 'revoke'], exit: usage, says: /Missing required argument 'token'/ },
  { args: ['token', 'list', '--all'], exit: usage, says: /Unknown option '--all'/ },
  // doctor, completion
  { args: ['doctor', '--fix'], exit: usage, says: /Unknown option '--fix'/ },
  { args: ['completion'], exit: usage, says: /Missing required argument 'shell'/ },
  { args: ['completion', 'tcsh'], exit: usage, says: /no completion for this shell/ },
  { args: ['completion', 'constructor'], exit: usage, says: /no completion for this shell/ },
  // --output
  { args: ['completion', 'bash', '--output', '/no/such/dir/file'], exit: exitCode.environment, says: /cannot be written/ },
  { args: ['completion', 'bash', '--output'], exit: usage, says: /argument missing/ },
]

let home: TestHome
beforeAll(async () => {
  home = await testHome()
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
})

test.each(cases.map((one) => ({ ...one, name: one.args.map((arg) => JSON.stringify(arg).slice(0, 60)).join(' ') })))(
  '$name',
  async ({ args, exit, says, env, stdin }) => {
    const before = await readdir(home.dir)
    const ended = await home.muster(args, { ...(env && { env }), ...(stdin !== undefined && { stdin }) })
    expect(ended.stderr).toMatch(says)
    expect(ended.code).toBe(exit)
    const [sentence = '', hint = '', ...more] = ended.stderr
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('--token can be seen'))
    expect(sentence).toMatch(/^\S.*[.…]$/)
    expect(hint).toMatch(/^hint: \S/)
    expect(more).toEqual([])
    expect(ended.stderr).not.toContain('\x1b')
    expect(ended.stderr.length).toBeLessThan(1000)
    expect(ended.stdout).toBe('')
    const fresh = (await readdir(home.dir)).filter((name) => !before.includes(name))
    // A node that was refused has opened its host; nothing else may be left.
    expect(fresh.filter((name) => name !== 'host' && name !== 'node')).toEqual([])
  },
)

test('with --json the failure is an object on stdout too, and --output keeps it', async () => {
  const file = join(home.dir, 'result.json')
  const ended = await home.muster(['run', 'show', '../x', '--json', '--output', file])
  const shown = JSON.parse(ended.stdout)
  expect(shown).toEqual({
    error: { code: 'cli.usage', message: expect.stringContaining('The run id'), hint: expect.any(String), retryable: false },
  })
  const { default: kept } = await import(file, { with: { type: 'json' } })
  expect(kept).toEqual(shown)
  expect(ended.code).toBe(usage)
})

test('a usage error is kept by --output as well', async () => {
  const file = join(home.dir, 'usage.json')
  const ended = await home.muster(['run', 'list', `--output=${file}`, '--nope'])
  expect(ended.code).toBe(usage)
  const { default: kept } = await import(file, { with: { type: 'json' } })
  expect(kept.error.code).toBe('cli.usage')
})

test('a home that others can look into, or that is a file, is refused and told how to mend', async () => {
  const open = join(home.dir, 'open')
  await mkdir(open)
  const { chmod } = await import('node:fs/promises')
  await chmod(open, 0o755)
  const looked = await home.muster(['hub', 'serve', '--bind', '127.0.0.1:0'], { env: { MUSTER_HOME: open } })
  expect(looked.stderr).toMatch(/other accounts can look into it \(mode 755\); `chmod 700/)
  expect(looked.code).toBe(exitCode.environment)
  const file = join(home.dir, 'file')
  await writeFile(file, '')
  const filed = await home.muster(['hub', 'serve', '--bind', '127.0.0.1:0'], { env: { MUSTER_HOME: file } })
  expect(filed.stderr).toMatch(/cannot be used/)
  expect(filed.code).toBe(exitCode.environment)
})
