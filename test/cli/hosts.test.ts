// `muster host …`: what is printed where, and that what is refused changes nothing.

import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { until } from '../resources/muster.ts'
import { type Ended, script, type TestHome, testHome } from './muster.ts'

const token = 'mtok_on-loopback-only'
let home: TestHome
let far: TestHome
let url: string

beforeAll(async () => {
  home = await testHome()
  far = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  await far.muster(['hub', 'start', '--bind', '127.0.0.1:0', '--token-stdin'], { stdin: token })
  url = JSON.parse((await far.muster(['hub', 'status', '--json'])).stdout).url
})
afterAll(async () => {
  await far[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

const remove = (name: string) => home.muster(['host', 'remove', name, '--force'])
const records = () => readdir(join(home.dir, 'hosts'))

async function addFar(name: string, more: readonly string[] = []): Promise<Ended> {
  return home.muster(['host', 'add', name, '--url', url, '--token-stdin', ...more], { stdin: `${token}\n` })
}

test('adding prints the id alone, and on standard error whether the host answers; the token is in no file but its own', async () => {
  const added = await addFar('far', ['--label', 'zone=eu', '--label', 'gpu='])
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^host_[0-9A-Z]{26}\n$/) })
  expect(added.stderr).toMatch(/far answered within \d+ ms/)
  const id = added.stdout.trim()
  const record = await readFile(join(home.dir, 'hosts', `${id}.toml`), 'utf8')
  expect(record).toMatch(/zone = "eu"/)
  for (const text of [record, added.stderr, await readFile(join(home.dir, 'hub', 'hub.log'), 'utf8')])
    expect(text).not.toContain(token)
  const { stdout } = await home.muster(['host', 'show', 'far'])
  expect(stdout).toMatch(/^secret: +file$/m)
  expect(stdout).toMatch(/^clock offset: +-?\d+ ms/m)
  expect(stdout).toMatch(/^catalog: +\d+ entries$/m)
  expect(stdout).toMatch(/^active runs: +0$/m)
  expect((await home.muster(['exec', 'far', '--', 'echo', 'there'])).stdout).toBe('there\n')
  expect(await home.muster(['host', 'remove', 'far'])).toMatchObject({ code: 0, stdout: `removed: ${id}\n` })
  expect(await readdir(join(home.dir, 'hub', 'secrets'))).toEqual([])
})

test('plain http beyond this machine is taken with --insecure, which says what it risks', async () => {
  const plain = ['host', 'add', 'plain', '--url', 'http://192.0.2.1', '--no-probe', '--token-stdin']
  expect(await home.muster(plain, { stdin: token })).toMatchObject({ code: 3, stderr: expect.stringMatching(/in the clear/) })
  const added = await home.muster([...plain, '--insecure'], { stdin: token })
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^host_[0-9A-Z]{26}\n$/) })
  expect(added.stderr).toMatch(/With --insecure, whoever is on the way can read the token/)
  expect(added.stderr).not.toContain(token)
  expect((await addFar('loopback')).stderr).not.toMatch(/insecure/)
  for (const name of ['plain', 'loopback']) await remove(name)
})

test('the token may come by the environment, and by the command line with a warning', async () => {
  const byEnvironment = await home.muster(['host', 'add', 'env', '--url', url], { env: { MUSTER_HOST_TOKEN: token } })
  expect(byEnvironment.stderr).toMatch(/env answered/)
  const byOption = await home.muster(['host', 'add', 'option', '--url', url, '--token', token])
  expect(byOption.stderr).toMatch(/list of processes.*\n.*option answered/s)
  for (const name of ['env', 'option']) await remove(name)
})

test('a host that does not answer is added, says why, and is never shown as having nothing to do', async () => {
  const added = await home.muster(['host', 'add', 'away', '--url', 'http://127.0.0.1:1', '--token-stdin'], { stdin: token })
  expect(added).toMatchObject({ code: 0, stderr: expect.stringMatching(/away was added, but does not answer: refused.*\n$/s) })
  const listed = await home.muster(['host', 'list', '--probe'])
  expect(listed.stdout).toMatch(/away +http:\/\/127\.0\.0\.1:1 +never seen +unknown +unknown/)
  expect(listed.stdout).toMatch(/^local +local +local +online, \d+ ms/m)
  const shown = await home.muster(['host', 'show', 'away'])
  for (const field of [
    'machine',
    'version',
    'cores',
    'memory',
    'booted',
    'clock offset',
    'carries',
    'allows',
    'catalog',
    'active runs',
  ]) {
    expect(shown.stdout).toMatch(new RegExp(`^${field}: +unknown$`, 'm'))
  }
  await remove('away')
})

test('without a probe nobody is asked', async () => {
  const added = await home.muster(['host', 'add', 'silent', '--url', 'http://127.0.0.1:1', '--token-stdin', '--no-probe'], {
    stdin: token,
  })
  expect(added.stderr).not.toMatch(/answer/)
  await remove('silent')
})

test('a host behind a bucket gets its id on standard output, and the whole command for its machine on standard error', async () => {
  const added = await home.muster(['host', 'add', 'nightly', '--bucket', `file://${far.dir}`, '--prefix', 'box'])
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^host_[0-9A-Z]{26}\n$/) })
  expect(added.stderr).toMatch(
    /\n {2}echo mpull_\w+ \| muster node pull --bucket file:\/\/\S+ --prefix box --allow runs --token-stdin\n$/,
  )
  const unusable = await home.muster(['host', 'add', 'nowhere', '--bucket', `file://${far.dir}/absent`])
  expect(unusable.stderr).toMatch(/nowhere was added, but does not answer: The bucket .* cannot be used: /)
  for (const name of ['nightly', 'nowhere']) await remove(name)
  expect(await readdir(join(home.dir, 'hub', 'connectors'))).toEqual([])
})

test('rename and label say what is so now', async () => {
  await addFar('old')
  expect((await home.muster(['host', 'rename', 'old', 'Neu-Ä'])).stdout).toMatch(/^renamed: Neu-Ä \(host_/)
  expect((await home.muster(['host', 'label', 'neu-ä', 'a=1', 'b=x=y'])).stdout).toBe('a=1\nb=x=y\n')
  expect((await home.muster(['host', 'label', 'neu-ä', 'a-', 'c='])).stdout).toBe('b=x=y\nc=\n')
  expect((await home.muster(['host', 'label', 'neu-ä'])).stdout).toBe('b=x=y\nc=\n')
  await remove('neu-ä')
})

test.each([
  [['add', 'box'], 2, /needs one way/],
  [['add', 'box', '--url', 'https://a.example', '--ssh', 'b'], 2, /one way: --url or --ssh/],
  [['add', 'box', '--url', 'https://a.example', '--port', '22'], 2, /--port goes with --ssh/],
  [['add', 'box', '--ssh', 'a', '--token', 'x'], 2, /takes no token/],
  [['add', 'box', '--ssh', 'a b'], 2, /--ssh "a b" is not valid: it is written user@host/],
  [['add', 'box', '--ssh', '-oProxyCommand=x'], 2, /--ssh "-oProxyCommand=x" is not valid/],
  [['add', 'box', '--ssh', 'a', '--port', '0'], 2, /--port "0" is not valid/],
  [['add', 'box', '--ssh', 'a', '--port', 'x'], 2, /--port/],
  [['add', 'box', '--url', 'ftp://a.example', '--token', 'x'], 2, /url/],
  [['add', 'box', '--url', 'https://u:p@a.example', '--token', 'x'], 2, /url/],
  [['add', 'box', '--url', 'http://192.0.2.1', '--token', 'x'], 3, /in the clear/],
  [['add', 'box', '--url', 'https://a.example', '--token', 'two words'], 2, /no token/],
  [['add', 'box', '--url', 'https://a.example', '--token', 'x', '--token-stdin'], 2, /given twice/],
  [['add', 'box', '--url', 'https://a.example', '--pin', 'short'], 2, /pin/],
  [['add', 'box', '--bucket', 'ftp://a'], 2, /bucket|connector/],
  [['add', 'box', '--url', 'https://a.example', '--label', 'a'], 2, /NAME=VALUE/],
  [['add', 'box', '--url', 'https://a.example', '--label', 'a=1', '--label', 'a=2'], 2, /given twice/],
  [['add', '-x', '--url', 'https://a.example'], 2, /unknown option/i],
  [['add', 'a/b', '--url', 'https://a.example'], 2, /host name/],
  [['add', 'local', '--ssh', 'a'], 5, /exists already/],
  [['rename', 'nobody', 'x'], 4, /no host nobody/],
  [['rename', 'local', 'x'], 3, /keeps its name/],
  [['rename', 'local', 'a b'], 2, /host name/],
  [['label', 'local', 'a=b'], 3, /no record/],
  [['label', 'local', 'a'], 2, /no change of a label/],
  [['label', 'local', 'a=b', 'a-'], 2, /set and taken away/],
  [['label', 'local', 'a=1', 'a=2'], 2, /given twice/],
  [['remove', 'local'], 3, /cannot be removed/],
  [['remove', 'nobody'], 4, /no host nobody/],
])('muster host %j is refused in one sentence with a hint, and nothing changes', async (args, code, sentence) => {
  const refused = await home.muster(['host', ...args])
  expect(refused).toMatchObject({ code, stdout: '' })
  const [first, second, ...rest] = refused.stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('--token can be seen'))
  expect(first).toMatch(sentence)
  expect(second).toMatch(/^hint: /)
  expect(rest).toEqual([])
  expect(await records()).toEqual([])
  expect(await readdir(join(home.dir, 'hub', 'secrets')).catch(() => [])).toEqual([])
})

test.each([
  [['a b', '--ssh', 'box'], 2, /host name "a b" is not valid/],
  [['box'], 2, /needs one way/],
  [['box', '--ssh', 'a', '--bucket', 's3://abc'], 2, /one way: --ssh or --bucket/],
  [['box', '--url', 'https://'], 2, /--url "https:\/\/" is not valid/],
  [['box', '--url', 'http://192.0.2.1'], 3, /in the clear/],
  [['box', '--url', 'https://a.example', '--pin', 'short'], 2, /--pin "short" is not valid: it is sha256/],
  [['box', '--url', 'https://a.example', '--ca-file', 'absent.pem'], 8, /absent\.pem cannot be read: there is no such file/],
  [['box', '--url', 'https://a.example', '--ca-file', '.'], 8, /cannot be read: it is a directory/],
  [['box', '--ssh', 'a', '--identity', '~/no-such-key-is-there'], 8, /~\/no-such-key-is-there cannot be read/],
  [['box', '--ssh', 'a', '--label', 'a b=c'], 2, /label is not valid/],
  [['box', '--ssh', 'a', '--trust', 'all'], 2, /Everything is written '\*'/],
  [['box', '--bucket', 's3://abc', '--endpoint', 'nowhere'], 2, /--endpoint "nowhere" is not valid/],
  [['box', '--bucket', 's3://abc', '--endpoint', 'http://192.0.2.1'], 3, /in the clear/],
  [['box', '--ssh', 'a'], 6, /No hub answers/],
])('where no hub runs, muster host add %j is told what is wrong with it all the same', async (args, code, sentence) => {
  await using bare = await testHome()
  const refused = await bare.muster(['host', 'add', ...args])
  expect(refused).toMatchObject({ code, stdout: '' })
  const [first, second, ...rest] = refused.stderr.trim().split('\n')
  expect(first).toMatch(sentence)
  expect(second).toMatch(/^hint: /)
  expect(rest).toEqual([])
})

test('one with live runs is kept unless that is wanted', async () => {
  await addFar('busy')
  await home.muster(['exec', '--detach', 'busy', '--', 'sleep', '600'])
  const refused = await home.muster(['host', 'remove', 'busy'])
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(/busy still has 1 live run/) })
  expect(await records()).toHaveLength(1)
  expect(await home.muster(['host', 'remove', 'busy', '--force'])).toMatchObject({ code: 0 })
  expect(await records()).toEqual([])
})

test.skipIf(!hasProgram('script'))('on a terminal it is asked about: no keeps it, yes removes it', async () => {
  await addFar('asked')
  await home.muster(['exec', '--detach', 'asked', '--', 'sleep', '600'])
  expect(await answerOnTerminal('asked', 'n')).toMatch(/Remove it all the same\? \[y\/N\]/)
  expect(await records()).toHaveLength(1)
  expect(await answerOnTerminal('asked', 'y')).toMatch(/removed: host_/)
  expect(await records()).toEqual([])
})

/** What a terminal shows of `host remove` when its question is answered so. */
async function answerOnTerminal(host: string, answer: string): Promise<string> {
  const command = `'${process.execPath}' '${script}' host remove ${host}`
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, MUSTER_HOME: home.dir } })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await until('it asks', async () => (shown.includes('[y/N]') ? true : undefined))
  child.stdin.end(`${answer}\n`)
  await ended
  return shown
}
