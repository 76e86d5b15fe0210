// A host's commands: in what order an invocation is judged, what may run, and that files stay inside the directories that were named.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Caller } from '../../src/contract/caller.ts'
import { invokeCommand, listCommands } from '../../src/contract/command.ts'
import { direct } from '../../src/contract/direct.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { getHostInfo, listHosts } from '../../src/contract/host.ts'
import { implement, implementation, type Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { callProc } from '../../src/contract/proc.ts'
import { makeTestHome, openTestHost, type TestHome, type TestHost } from './host-fixture.ts'

let home: TestHome
let box: TestHost
let dir: string
let policy: string
const root = () => join(dir, 'root')

beforeAll(async () => {
  home = await makeTestHome()
  dir = await mkdtemp(join(tmpdir(), 'muster-commands-'))
  policy = join(dir, 'policy.toml')
  await mkdir(join(dir, 'commands'))
  await mkdir(root())
  await mayDo()
  box = await openTestHost(home, {
    policy: { allow: [], file: policy },
    musterHome: join(root(), 'muster'),
    commands: join(dir, 'commands'),
    hub: async () => direct(fleet, { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(scopes) }),
  })
})
afterAll(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const fleet = implementation(implement(listHosts, async () => ({ hosts: [], corrupt: [] })))

async function mayDo(...rules: string[]): Promise<void> {
  await writeFile(`${policy}.new`, [...rules, '[files]', `roots = [${JSON.stringify(root())}]`, ''].join('\n'), { mode: 0o600 })
  await rename(`${policy}.new`, policy)
}

const allow = (command: string, more = '') => `[[rule]]\neffect = "allow"\ncommand = "${command}"\n${more}`

const invoke = async (command: string, params: Record<string, unknown> = {}, by: Caller = box.caller) =>
  (await by.call(invokeCommand, { command, params })).result as Record<string, never>
const refusal = async (command: string, params: Record<string, unknown> = {}) => {
  const error = await invoke(command, params).then(() => undefined, asMusterError)
  return error?.code
}
const names = async () => (await box.caller.call(listCommands, {})).commands.map(({ name }) => name)

describe('what is exposed', () => {
  test('nothing, until the policy names it; then at once, and no longer than that', async () => {
    await mayDo()
    expect(await names()).toEqual([])
    expect((await box.caller.call(getHostInfo, {})).catalogSize).toBe(0)
    expect(await refusal('exec', { argv: ['true'] })).toBe('policy.denied')
    await mayDo(allow('exec'))
    expect(await names()).toEqual(['exec'])
    expect(await invoke('exec', { argv: ['true'] })).toMatchObject({ code: 0 })
    await mayDo()
    expect(await refusal('exec', { argv: ['true'] })).toBe('policy.denied')
  })

  test('what is not exposed is refused to the word like what there is not, whatever its parameters', async () => {
    await mayDo(allow('exec'))
    const told = async (command: string, params: Record<string, unknown>) => {
      const error = asMusterError(await invoke(command, params).catch((thrown: unknown) => thrown))
      return [error.code, error.message.replaceAll(command, 'COMMAND'), error.hint.replaceAll(command, 'COMMAND')]
    }
    const missing = await told('no.such', {})
    expect(missing[0]).toBe('policy.denied')
    expect(await told('shell', { script: 'id' })).toEqual(missing)
    expect(await told('shell', { nonsense: 1 })).toEqual(missing)
  })

  test('a condition on the parameters decides by those that will run, defaults included', async () => {
    await mayDo(allow('exec', `when = 'params.argv[0] == "true" && params.timeoutMs == 60000.0'`))
    const { commands } = await box.caller.call(listCommands, {})
    expect(commands).toMatchObject([{ name: 'exec', exposure: null }])
    expect(await invoke('exec', { argv: ['true'] })).toMatchObject({ code: 0 })
    expect(await refusal('exec', { argv: ['false'] })).toBe('policy.denied')
    expect(await refusal('exec', { argv: ['true'], timeoutMs: 5 })).toBe('policy.denied')
  })

  test('a sensitive command is not run where nobody can be asked, and that is no refusal', async () => {
    await mayDo(allow('shell'), allow('exec'))
    const trace = join(dir, 'trace')
    expect((await box.caller.call(listCommands, {})).commands).toMatchObject([
      { name: 'exec', exposure: 'allow' },
      { name: 'shell', exposure: 'ask', sensitive: true },
    ])
    for (const injected of [{}, { approved: true }, { approvalDecision: 'approved' }, { principal: { role: 'operator' } }])
      expect(await refusal('shell', { script: `touch ${trace}`, ...injected })).toBe(
        Object.keys(injected).length === 0 ? 'approval.unavailable' : 'input.invalid',
      )
    expect(await stat(trace).catch(() => undefined)).toBeUndefined()
  })

  test('by way of the built-in proc it is judged the same', async () => {
    await mayDo(allow('exec'))
    const through = (command: string) =>
      box.caller.call(callProc, { proc: 'service', method: 'command.invoke', params: { command, params: { argv: ['true'] } } })
    expect(await through('exec')).toMatchObject({ result: { code: 0 } })
    await expect(through('shell')).rejects.toMatchObject({ code: 'policy.denied' })
  })

  test("the fleet's own management is hidden from who may everything, until a rule names it", async () => {
    await mayDo(allow('*'))
    expect(await names()).not.toContain('fleet.list')
    expect(await refusal('fleet.list')).toBe('policy.denied')
    await mayDo(allow('fleet.list'))
    expect(await invoke('fleet.list')).toEqual({ hosts: [] })
    expect(await refusal('fleet.enroll', { name: 'x' })).toBe('policy.denied')
  })

  test('who may only read lists it and invokes nothing', async () => {
    await mayDo(allow('exec'))
    const viewer: Principal = { kind: 'user', id: 'v', role: 'viewer', scopes: new Set(['read']) }
    const by = direct(box.host.offers, viewer)
    expect((await by.call(listCommands, {})).commands).toHaveLength(1)
    await expect(invoke('exec', { argv: ['true'] }, by)).rejects.toMatchObject({ code: 'auth.forbidden' })
  })
})

describe('exec', () => {
  const sh = (line: string) => ({ argv: ['/bin/sh', '-c', line] })

  test('inherits no more than a run, and knows where it is', async () => {
    await mayDo(allow('exec'))
    process.env.MUSTER_TEST_SECRET = 'leaked'
    const { stdout } = await invoke('exec', { argv: ['env'], env: { GIVEN: '1' } })
    expect(stdout).toContain('GIVEN=1')
    expect(stdout).toContain('MUSTER_HOST=box')
    expect(stdout).not.toContain('leaked')
  })

  test('output that is no text comes in Base64, and what is too much is cut and counted', async () => {
    await mayDo(allow('exec'))
    expect(await invoke('exec', sh("printf '\\377\\000'"))).toMatchObject({
      stdoutBase64: '/wA=',
      stdoutBytes: 2,
      stdoutCut: false,
    })
    const { stdout, ...rest } = await invoke('exec', sh('yes | head -c 1000000'))
    expect(rest).toMatchObject({ stdoutBytes: 1_000_000, stdoutCut: true })
    expect(stdout).toHaveLength(256 * 1024)
    const nul = await invoke('exec', sh('head -c 300000 /dev/zero'))
    expect(JSON.stringify(nul).length).toBeLessThan(1024 * 1024)
  })

  test('a program that cannot be started says why', async () => {
    await mayDo(allow('exec'))
    expect(await refusal('exec', { argv: ['/no/such/program'] })).toBe('run.spawn_failed')
    expect(await refusal('exec', { argv: ['true'], cwd: '/no/such/directory' })).toBe('run.spawn_failed')
    expect(await refusal('exec', { argv: ['true'], cwd: 'relative' })).toBe('input.invalid')
  })

  test('what it leaves running holds up no answer', async () => {
    await mayDo(allow('exec'))
    const { stdout } = await invoke('exec', sh('sleep 60 & echo $!'))
    process.kill(Number(stdout))
  })
})

describe('shell', () => {
  test('the script is in no argument; it takes its own, to the byte', async () => {
    const { execCommands } = await import('../../src/host/commands/exec.ts')
    const shell = execCommands('box').find(({ entry }) => entry.name === 'shell')
    const args = ['-n', 'a b', '$(id)', '']
    for (const kind of ['sh', 'bash']) {
      const prepared = shell?.prepare({
        shell: kind,
        args,
        script: `tr '\\0' ' ' < /proc/$$/cmdline; printf '%s|' "$@"; (true <&3) 2>/dev/null && echo open; # secret`,
      })
      expect(prepared?.shown.script).toContain('secret')
      const result = await prepared?.run({ signal: new AbortController().signal, progress: () => undefined, asker: null })
      const { stdout } = result as { stdout: string }
      expect(stdout).not.toContain('secret')
      expect(stdout.endsWith('-n|a b|$(id)||')).toBe(true)
    }
  })

  test.each(['sh', 'bash'])('%s carries out a large script whole, and nothing of one whose end is missing', async (kind) => {
    const { execCommands } = await import('../../src/host/commands/exec.ts')
    const shell = execCommands('box').find(({ entry }) => entry.name === 'shell')
    const script = `echo begun\n${'# padding\n'.repeat(25_000)}cat <<'END'\nlast\nEND\nexit 7\n\n`
    const prepared = shell?.prepare({ shell: kind, script })
    const whole = await prepared?.run({ signal: new AbortController().signal, progress: () => undefined, asker: null })
    expect(whole).toMatchObject({ code: 7, stdout: 'begun\nlast\n' })

    const [program = '', ...args] = prepared?.shown.argv ?? []
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] })
    const told: Buffer[] = []
    child.stdout?.on('data', (bytes: Buffer) => told.push(bytes))
    const ended = once(child, 'close')
    ;(child.stdio[3] as Writable).end(script.slice(0, 200_000))
    expect(await ended).toEqual([126, null])
    expect(Buffer.concat(told).toString()).toBe('')
  })
})

describe('files', () => {
  const at = (path: string) => join(root(), path)
  beforeAll(() => mayDo(allow('file.*')))

  test('are written whole, read, listed and described', async () => {
    await mayDo(allow('file.*'))
    const path = at('a ünïcödé file')
    expect(await invoke('file.write', { path, text: 'one\n' })).toMatchObject({ bytes: 4 })
    expect(await invoke('file.read', { path })).toEqual({ bytes: 4, offset: 0, text: 'one\n', end: true })
    expect(await refusal('file.write', { path, text: 'two\n' })).toBe('file.unwritable')
    await chmod(path, 0o640)
    await invoke('file.write', { path, base64: Buffer.from([0xff, 0]).toString('base64'), overwrite: true })
    expect(await invoke('file.read', { path, offset: 1, limit: 1 })).toEqual({ bytes: 2, offset: 1, text: '\0', end: true })
    expect(await invoke('file.stat', { path })).toMatchObject({ kind: 'file', bytes: 2, mode: '0640' })
    expect(await invoke('file.list', { path: root() })).toMatchObject({ entries: [{ name: 'a ünïcödé file' }], more: false })
    expect(await readdir(root())).toEqual(['a ünïcödé file'])
    expect(await refusal('file.write', { path: at('b'), base64: 'no Base64!' })).toBe('input.invalid')
    expect(await refusal('file.write', { path: at('b'), base64: Buffer.alloc(600_000).toString('base64') })).toBe(
      'file.too_large',
    )
    expect(await refusal('file.read', { path: at('missing') })).toBe('file.unreadable')
    expect(await invoke('file.read', { path, offset: 1e15 })).toEqual({ bytes: 2, offset: 1e15, text: '', end: true })
  })

  test("the home of the account's Muster is outside, also where a directory around it is named: the policy lies there", async () => {
    await mayDo(allow('file.*'))
    await mkdir(at('muster/node'), { recursive: true })
    await writeFile(at('muster/node/policy.toml'), 'plain')
    for (const path of [at('muster/node/policy.toml'), at('muster//node/policy.toml'), at('muster/new')]) {
      expect(await refusal('file.read', { path })).toBe('file.outside')
      expect(await refusal('file.write', { path, text: 'allow = ["*"]', overwrite: true })).toBe('file.outside')
      expect(await refusal('file.stat', { path })).toBe('file.outside')
    }
    for (const path of [at('muster'), at('muster/node')]) expect(await refusal('file.list', { path })).toBe('file.outside')
    expect(await invoke('file.stat', { path: at('muster') })).toMatchObject({ kind: 'directory' })
    await writeFile(at('muster2'), 'no part of it')
    expect(await invoke('file.read', { path: at('muster2') })).toMatchObject({ text: 'no part of it' })
    await rm(at('muster'), { recursive: true })
    await rm(at('muster2'))
  })

  test('outside of what was named there are none, however the path is written', async () => {
    await mayDo(allow('file.*'))
    await writeFile(join(dir, 'outside'), 'secret')
    const tries = [
      join(dir, 'outside'),
      `${root()}/../outside`,
      `${root()}/./../outside`,
      `${root()}/..`,
      `${root()}x`,
      '/etc/passwd',
      '/',
      `${dir}/root/..//outside`,
    ]
    for (const path of tries) {
      for (const command of ['file.read', 'file.stat', 'file.list'])
        expect([path, command, await refusal(command, { path })]).toEqual([path, command, 'file.outside'])
      expect(await refusal('file.write', { path, text: 'x', overwrite: true })).toBe('file.outside')
    }
    expect(await refusal('file.read', { path: 'relative' })).toBe('input.invalid')
    expect(await refusal('file.read', { path: `${root()}/a\0b` })).toBe('input.invalid')
    expect(await readFile(join(dir, 'outside'), 'utf8')).toBe('secret')
  })

  test('no link leads out, at the end of a path or on its way', async () => {
    await mayDo(allow('file.*'))
    await symlink(join(dir, 'outside'), at('link'))
    await symlink(dir, at('way'))
    expect(await refusal('file.read', { path: at('link') })).toBe('file.unreadable')
    expect(await refusal('file.write', { path: at('link'), text: 'x', overwrite: true })).toBe('file.unwritable')
    for (const command of ['file.read', 'file.stat'])
      expect(await refusal(command, { path: at('way/outside') })).toBe('file.unreadable')
    expect(await refusal('file.list', { path: at('way') })).toBe('file.unreadable')
    expect(await refusal('file.write', { path: at('way/new'), text: 'x' })).toBe('file.unreadable')
    expect(await invoke('file.stat', { path: at('link') })).toMatchObject({ kind: 'link' })
    expect(await readdir(dir)).not.toContain('new')
    // A second name of a file is no link that leads anywhere.
    await link(at('a ünïcödé file'), at('second name'))
    expect(await invoke('file.read', { path: at('second name') })).toMatchObject({ bytes: 2 })
  })

  test('a directory that is swapped for a link again and again lets nothing out', async () => {
    await mayDo(allow('file.*'))
    const secret = join(dir, 'elsewhere')
    await mkdir(secret)
    await writeFile(join(secret, 'file'), 'secret')
    await mkdir(at('swap'))
    await writeFile(at('swap/file'), 'plain')
    let swapping = true
    const swapped = (async () => {
      while (swapping) {
        await rename(at('swap'), at('kept'))
        await symlink(secret, at('swap'))
        await rm(at('swap'))
        await rename(at('kept'), at('swap'))
      }
    })()
    const seen = new Map<string, number>()
    for (let time = 0; time < 300; time++) {
      const text = await invoke('file.read', { path: at('swap/file') }).then(
        (read) => String(read.text),
        (error) => asMusterError(error).code,
      )
      seen.set(text, (seen.get(text) ?? 0) + 1)
      await invoke('file.write', { path: at('swap/file'), text: 'plain', overwrite: true }).catch(() => undefined)
    }
    swapping = false
    await swapped
    expect([...seen.keys()].filter((text) => text !== 'plain' && text !== 'file.unreadable')).toEqual([])
    expect(await readFile(join(secret, 'file'), 'utf8')).toBe('secret')
    expect(await readdir(secret)).toEqual(['file'])
  })

  test('without directories that are named there are none at all, and the hint says where to name them', async () => {
    await writeFile(policy, allow('file.*'))
    const error = asMusterError(await invoke('file.list', { path: root() }).catch((thrown: unknown) => thrown))
    expect(error).toMatchObject({ code: 'file.outside', hint: expect.stringContaining('roots') })
  })
})

describe('declared commands', () => {
  const declare = (name: string, ...lines: string[]) =>
    writeFile(join(dir, 'commands', `${name}.toml`), [`name = "${name}"`, 'description = "d"', ...lines].join('\n'), {
      mode: 0o600,
    })
  const taken = async (look: () => Promise<boolean>) => {
    for (const end = Date.now() + 30_000; !(await look()); ) {
      if (Date.now() > end) throw new Error('it is not taken up')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  test('are taken up as they are written, changed and deleted; a broken one is named and the others are served', async () => {
    await mayDo(allow('hello'), allow('count'))
    await declare('hello', 'argv = ["echo", "hello"]')
    await taken(async () => (await names()).includes('hello'))
    expect(await invoke('hello')).toMatchObject({ code: 0, stdout: 'hello\n' })
    await declare('hello', 'argv = ["echo", "hello"')
    await declare('exec', 'argv = ["echo"]')
    await taken(async () => (await box.caller.call(listCommands, {})).corrupt.length === 2)
    expect(await box.caller.call(listCommands, {})).toMatchObject({
      commands: [],
      corrupt: [
        { file: 'exec.toml', problem: "exec is a command of Muster's own" },
        { file: 'hello.toml', problem: expect.stringMatching(/^line 3/) },
      ],
    })
    await rm(join(dir, 'commands', 'exec.toml'))
    await declare('hello', 'argv = ["echo", "again"]')
    await taken(async () => (await names()).includes('hello'))
    expect(await invoke('hello')).toMatchObject({ stdout: 'again\n' })
    await rm(join(dir, 'commands', 'hello.toml'))
    await taken(async () => !(await names()).includes('hello'))
    expect(await refusal('hello')).toBe('policy.denied')
  })

  test('one whose file others may write to is not served', async () => {
    await mayDo(allow('hello'))
    await declare('hello', 'argv = ["echo"]')
    await chmod(join(dir, 'commands', 'hello.toml'), 0o666)
    await taken(async () => (await box.caller.call(listCommands, {})).corrupt.length === 1)
    expect((await box.caller.call(listCommands, {})).corrupt[0]?.problem).toContain('other accounts may write to it')
    await rm(join(dir, 'commands', 'hello.toml'))
  })

  test("its result is JSON of its schema, or the command's failure", async () => {
    await mayDo(allow('count'))
    const schema = [
      '[params]',
      'type = "object"',
      'required = ["line"]',
      'properties.line.type = "string"',
      '[result]',
      'type = "integer"',
    ]
    await declare(
      'count',
      'argv = ["/bin/sh", "-c", "printf %s \\"$1\\"; test \\"$1\\" != 0", "sh", { param = "line" }]',
      ...schema,
    )
    await taken(async () => (await names()).includes('count'))
    expect(await invoke('count', { line: '42' })).toBe(42)
    expect(await refusal('count', { line: '"x"' })).toBe('command.result')
    expect(await refusal('count', { line: '4 2' })).toBe('command.result')
    expect(await refusal('count', { line: '0' })).toBe('command.failed')
    expect(await refusal('count', { line: '-1' })).toBe('input.invalid')
    expect(await refusal('count', { line: 1 })).toBe('input.invalid')
  })

  test('a result that nobody could write down is none, and ends no host', async () => {
    await mayDo(allow('deep'))
    await declare('deep', 'argv = ["/bin/sh", "-c", "yes [ | head -n 20000; yes ] | head -n 20000"]', '[result]')
    await taken(async () => (await names()).includes('deep'))
    expect(await refusal('deep')).toBe('command.result')
    await expect(box.caller.call(invokeCommand, { command: 'deep', key: 'k' })).rejects.toMatchObject({ code: 'command.result' })
  })
})
