// Hosts reached by ssh: the system's own client and real servers on loopback addresses, real hubs and nodes.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import type { HostRow } from '../../src/contract/host.ts'
import {
  endOf,
  execDetached,
  type Home,
  makeHome,
  muster,
  musterJson,
  type ServedHub,
  serveHub,
  start,
  until,
} from '../resources/muster.ts'
import { openSshd, type Sshd } from '../resources/sshd.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))
const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))
const run = promisify(execFile)

/** What starts this Muster there, in a home of its own. */
const remote = (far: Home) => `MUSTER_HOME=${far.path} ${process.execPath} ${bin}`

interface Reached {
  readonly config: string
  readonly known: string
}

/** A configuration file whose entries know their hosts. */
async function configure(home: Home, entries: readonly string[], known: readonly string[]): Promise<Reached> {
  const files = { config: join(home.path, 'ssh_config'), known: join(home.path, 'known_hosts') }
  await writeFile(files.known, known.join(''), { mode: 0o600 })
  await writeFile(files.config, [...entries, `Host *\n  UserKnownHostsFile ${files.known}\n`].join('\n'), { mode: 0o600 })
  return files
}

/** `muster host add`, with what it answers. */
function addHost(hub: ServedHub, name: string, destination: string, options: readonly string[]) {
  return musterJson<{ host: HostRow }>(hub.home, ['host', 'add', name, '--ssh', destination, ...options])
}

async function rowOf(hub: ServedHub, name: string): Promise<HostRow | undefined> {
  const { hosts } = await musterJson<{ hosts: HostRow[] }>(hub.home, ['host', 'list'])
  return hosts.find((row) => row.name === name)
}

function whenStatus(hub: ServedHub, name: string, status: HostRow['status']): Promise<HostRow> {
  return until(`${name} is ${status}`, async () => {
    const row = await rowOf(hub, name)
    return row?.status === status ? row : undefined
  })
}

/** The processes of a home's hub or node whose command line says `what`. */
async function processes(home: Home, what: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'args'])
  return stdout.split('\n').filter((line) => line.includes(home.path) && line.includes(what))
}

describe.skipIf(!hasProgram('sshd') || !hasProgram('ssh'))('a host reached by ssh', () => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await openSshd()
  })
  afterAll(() => sshd[Symbol.asyncDispose]())

  it('is added by an alias of the configuration and does what the local host does; its hub leaves no ssh behind', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using hub = await serveHub(home)
    const { config } = await configure(home, [sshd.entry('box')], [sshd.known])
    const { host } = await addHost(hub, 'box', 'box', ['--ssh-config', config, '--remote-command', remote(far)])
    expect(host).toMatchObject({ label: 'ssh:box', connector: 'ssh', status: 'online', probe: { answered: true } })

    const echoed = await muster(home.path, ['exec', 'box', '--', 'sh', '-c', 'cat; echo err >&2; exit 3'], { input: 'in\n' })
    expect(echoed).toMatchObject({ code: 3, stdout: 'in\n', stderr: 'err\n' })

    expect(await processes(home, 'ssh -T')).toHaveLength(1)
    // Others of this account can share the connection: it is a master.
    const master = join(home.path, 'hub', 'connectors', host.id, 'master')
    expect((await run('ssh', ['-S', master, 'box', 'echo', 'shared'])).stdout).toBe('shared\n')
    process.kill(hub.pid, 'SIGTERM')
    await hub.ended
    expect(await processes(home, 'ssh')).toEqual([])
    expect(await processes(far, 'node attach')).toEqual([])
  })

  it('keeps its runs through cuts of the connection and a hub that is killed: no line is lost or repeated', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    const reached = await configure(home, [sshd.entry('box')], [sshd.known])
    let text: string
    {
      await using hub = await serveHub(home)
      await addHost(hub, 'box', 'box', ['--ssh-config', reached.config, '--remote-command', remote(far)])
      const id = await execDetached(home.path, 'box', [process.execPath, countUp, '200', '30'])
      const reader = spawn(process.execPath, [bin, 'run', 'logs', '-f', id], { env: { ...process.env, MUSTER_HOME: home.path } })
      text = ''
      reader.stdout.on('data', (piece) => {
        text += piece
      })
      const ended = once(reader, 'close')
      for (const line of ['20', '60']) {
        await until(`the reader has line ${line}`, async () => (text.includes(`\n${line}\n`) ? true : undefined))
        await sshd.cut()
        await whenStatus(hub, 'box', 'offline')
        await whenStatus(hub, 'box', 'online')
      }
      await ended
      expect(text).toBe(numbers(200))
    }
    await using hub = await serveHub(home)
    await whenStatus(hub, 'box', 'online')
    const id = await execDetached(home.path, 'box', [process.execPath, countUp, '100', '20'])
    await hub.kill()
    await until('ssh ends with the hub that started it', async () =>
      (await processes(home, 'ssh -T')).length === 0 ? true : undefined,
    )
    await using _again = await serveHub(home)
    expect((await endOf(home.path, id)).state).toBe('succeeded')
    expect((await muster(home.path, ['run', 'logs', id])).stdout).toBe(numbers(100))
  })

  it('is reached through another host that ssh jumps over', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using gate = await openSshd({ address: '127.0.0.2' })
    await using hub = await serveHub(home)
    const { config } = await configure(
      home,
      [gate.entry('gate'), sshd.entry('inner', ['ProxyJump gate'])],
      [gate.known, sshd.known],
    )
    const { host } = await addHost(hub, 'inner', 'inner', ['--ssh-config', config, '--remote-command', remote(far)])
    expect(host.probe).toMatchObject({ answered: true })
    expect(await gate.sessions()).not.toEqual([])
    expect((await muster(home.path, ['exec', 'inner', '--', 'echo', 'behind'])).stdout).toBe('behind\n')

    process.kill(hub.pid, 'SIGTERM')
    await hub.ended
    expect(await processes(home, 'ssh')).toEqual([])
  })

  it('is reached by address, port and key as they are given, past a configuration that says otherwise', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using hub = await serveHub(home)
    const elsewhere = `Host ${sshd.address}\n  Port 9\n  StrictHostKeyChecking yes\n`
    const { config } = await configure(home, [elsewhere], [sshd.known])
    const { host } = await addHost(hub, 'box', `${userInfo().username}@${sshd.address}`, [
      ...['--port', `${sshd.port}`, '--identity', sshd.identity],
      ...['--ssh-config', config, '--remote-command', remote(far)],
    ])
    expect(host).toMatchObject({ label: `ssh:${userInfo().username}@${sshd.address}:${sshd.port}`, probe: { answered: true } })
    expect((await muster(home.path, ['exec', 'box', '--', 'echo', 'there'])).stdout).toBe('there\n')
  })

  it('is joined past whatever its shell prints first', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using noisy = await openSshd({
      address: '127.0.0.3',
      forced: `echo Welcome; printf "no newline"; eval "$SSH_ORIGINAL_COMMAND"`,
    })
    await using hub = await serveHub(home)
    const { config } = await configure(home, [noisy.entry('box')], [noisy.known])
    const { host } = await addHost(hub, 'box', 'box', ['--ssh-config', config, '--remote-command', remote(far)])
    expect(host.probe).toMatchObject({ answered: true })
  })

  describe('that cannot be reached', () => {
    let home: Home
    let hub: ServedHub
    let silent: Sshd
    let asking: Sshd
    beforeAll(async () => {
      home = await makeHome()
      hub = await serveHub(home)
      silent = await openSshd({ address: '127.0.0.4' })
      await silent.stop()
      asking = await openSshd({ address: '127.0.0.5', passwordOnly: true })
    })
    afterAll(async () => {
      await hub[Symbol.asyncDispose]()
      await silent[Symbol.asyncDispose]()
      await asking[Symbol.asyncDispose]()
      await home[Symbol.asyncDispose]()
    })

    const cases: readonly [string, (sshd: Sshd) => { entry: string; known?: string; command?: string }, RegExp][] = [
      [
        'an unknown host key, with the command by which a person accepts it',
        (sshd) => ({ entry: sshd.entry('box'), known: '' }),
        /does not know the host key of box, .*Connect once by hand, .*`ssh -F \S+ box true`/,
      ],
      [
        'a changed host key, with the command that forgets the old one',
        (sshd) => ({ entry: sshd.entry('box'), known: silent.known.replace(/^\S+/, `[${sshd.address}]:${sshd.port}`) }),
        /host key of \[127\.0\.0\.1\]:\d+ is not the one .*`ssh-keygen -R '\[127\.0\.0\.1\]:\d+'`/,
      ],
      [
        'a key that is refused',
        (sshd) => ({ entry: sshd.entry('box').replace(/IdentityFile .*/, `IdentityFile ${silent.identity}`) }),
        /box did not let the hub in by ssh: .*Permission denied \(publickey\)/,
      ],
      [
        'an account that wants a password, for which nobody is asked',
        () => ({ entry: asking.entry('box'), known: asking.known }),
        /box did not let the hub in by ssh: .*Permission denied \(password\).*types none: give its account a key/,
      ],
      [
        'a server that is not there',
        () => ({ entry: silent.entry('box') }),
        /box cannot be reached by ssh: .*Connection refused/,
      ],
      [
        'a name that nobody knows',
        (sshd) => ({ entry: sshd.entry('box').replace(/HostName .*/, 'HostName nowhere.invalid') }),
        /box cannot be reached by ssh: .*Could not resolve hostname nowhere\.invalid/,
      ],
      [
        'a configuration that ssh does not accept',
        (sshd) => ({ entry: sshd.entry('box', ['Nonsense yes']) }),
        /does not accept its configuration: .*Bad configuration option: nonsense/,
      ],
      [
        'no Muster there',
        (sshd) => ({ entry: sshd.entry('box'), command: 'muster-that-is-nowhere' }),
        /box has no command `muster-that-is-nowhere` .*not found.*Install Muster there/,
      ],
      [
        'a Node.js that is too old',
        (sshd) => ({
          entry: sshd.entry('box'),
          command: `sh -c 'echo "muster needs Node.js 24 or newer and found 18.1.0 (/usr/bin/node)" >&2; exit 8' --`,
        }),
        /The Node\.js on box is too old: .*found 18\.1\.0/,
      ],
      [
        'a Muster that knows no attaching',
        (sshd) => ({ entry: sshd.entry('box'), command: `${process.execPath} ${bin} hub` }),
        /The Muster on box is too old to be reached by ssh/,
      ],
      [
        'a home in which a hub has the host',
        (sshd) => ({ entry: sshd.entry('box'), command: remote(home) }),
        /Muster on box could not be joined: .* is in use by the hub of that account .*MUSTER_HOME=/,
      ],
      [
        'something else that answers, without end',
        (sshd) => ({ entry: sshd.entry('box'), command: `yes "$(printf 'I am \\033[31m a menu')"; true` }),
        /box answered with something else than Muster: I am \?\[31m a menu/,
      ],
    ]

    it.each(cases)('says so: %s', async (_what, make, expected) => {
      await using own = await makeHome()
      const { entry, known = sshd.known, command = 'muster' } = make(sshd)
      const { config } = await configure(own, [entry], [known])
      const name = `h${Date.now().toString(36)}`
      const { host } = await addHost(hub, name, 'box', ['--ssh-config', config, '--remote-command', command])
      expect(host.probe?.problem).toMatch(expected)
      expect(host).toMatchObject({ status: 'never_seen', lastSeenAt: null })
      const { code, stderr } = await muster(home.path, ['exec', name, '--', 'true'])
      expect({ code, stderr }).toMatchObject({ code: 255, stderr: expect.stringMatching(expected) })
      await musterJson(home.path, ['host', 'remove', name])
    })
  })

  it('is refused when the way leads to another home than before', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using other = await makeHome()
    await using hub = await serveHub(home)
    const { config } = await configure(home, [sshd.entry('box')], [sshd.known])
    const at = join(home.path, 'far')
    await writeFile(at, far.path)
    await addHost(hub, 'box', 'box', [
      '--ssh-config',
      config,
      '--remote-command',
      `MUSTER_HOME=$(cat ${at}) ${process.execPath} ${bin}`,
    ])
    await writeFile(at, other.path)
    await sshd.cut()
    await until('the hub has seen the other home', async () =>
      /leads to another Muster home/.test((await rowOf(hub, 'box'))?.reason ?? '') ? true : undefined,
    )
    expect((await rowOf(hub, 'box'))?.lastSeenAt).not.toBeNull()
  })

  it('is what a `muster node` that runs there already is, with its policy', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using hub = await serveHub(home)
    await using node = start(
      far.path,
      ['node', '--hub', 'ws://127.0.0.1:9', '--token-stdin', '--allow', 'procs'],
      {},
      await tokenOf(hub),
    )
    const socket = join(far.path, 'node', 'attach.sock')
    await until(
      'the node listens',
      async () => (await readFile(socket).catch((error) => error.code === 'ENXIO')) === true || undefined,
      node,
    )
    const { config } = await configure(home, [sshd.entry('box')], [sshd.known])
    const { host } = await addHost(hub, 'box', 'box', ['--ssh-config', config, '--remote-command', remote(far)])
    expect(host.info?.allows).toEqual(['procs'])
    expect(await processes(far, 'node daemon')).toEqual([])
    const denied = await muster(home.path, ['exec', 'box', '--', 'true'])
    expect(denied.stderr).toMatch(/does not allow its hub "runs"/)
  })

  it('lets its hub do what node/policy.toml names, and is not joined when that cannot be understood', async () => {
    await using home = await makeHome()
    await using far = await makeHome()
    await using hub = await serveHub(home)
    await mkdir(join(far.path, 'node'), { mode: 0o700 })
    const policy = join(far.path, 'node', 'policy.toml')
    await writeFile(policy, 'allow = ["Everything"]\n')
    const { config } = await configure(home, [sshd.entry('box')], [sshd.known])
    const { host } = await addHost(hub, 'box', 'box', ['--ssh-config', config, '--remote-command', remote(far)])
    expect(host.probe?.problem).toMatch(/policy\.toml cannot be read: allow\.0/)

    await writeFile(policy, 'allow = ["procs"]\n')
    const joined = await until('the host is joined', async () => {
      const row = await rowOf(hub, 'box')
      return row?.info ? row : undefined
    })
    expect(joined.info?.allows).toEqual(['procs'])
  })
})

describe('the node daemon', () => {
  it('is one for a home, however many are started at once', async () => {
    await using far = await makeHome()
    const attached = [1, 2, 3, 4].map(() => openAttach(far))
    try {
      const first = await Promise.all(attached.map(({ firstLine }) => firstLine))
      expect(first).toEqual(Array(4).fill('#muster-attach {"joined":true}'))
      const log = await readFile(join(far.path, 'node', 'daemon.log'), 'utf8')
      expect(log.match(/can be joined by ssh/g)).toHaveLength(1)
    } finally {
      for (const { leave } of attached) await leave()
    }
  })

  it('ends by itself once nobody is joined and nothing runs, and not before', async () => {
    await using far = await makeHome()
    await using daemon = start(far.path, ['node', 'daemon', '--idle', '3s'])
    const socket = join(far.path, 'node', 'attach.sock')
    await until(
      'it listens',
      async () => (await readFile(socket).catch((error) => error.code === 'ENXIO')) === true || undefined,
      daemon,
    )
    const one = openAttach(far)
    await one.firstLine
    const joinedAt = performance.now()
    await until('it would have ended by now', async () => (performance.now() - joinedAt > 4_500 ? true : undefined), daemon)
    expect(daemon.child.exitCode).toBeNull()
    await one.leave()
    await daemon.ended
    expect(daemon.child.exitCode).toBe(0)
  })
})

/** `muster node attach`, as ssh runs it: its first line, and an end of its input. */
function openAttach(home: Home) {
  const child = spawn(process.execPath, [bin, 'node', 'attach'], { env: { ...process.env, MUSTER_HOME: home.path } })
  const exited = once(child, 'close')
  let text = ''
  child.stdout.on('data', (piece) => {
    text += String(piece)
  })
  const firstLine = until('attach says that it has joined', async () => /#muster-attach .*(?=\n)/.exec(text)?.[0], { child })
  return {
    firstLine,
    async leave() {
      child.stdin.end()
      await exited
    },
  }
}

async function tokenOf(hub: ServedHub): Promise<string> {
  const { token } = await musterJson<{ token: string }>(hub.home, ['node', 'enroll', 'elsewhere'])
  return token
}

function numbers(most: number): string {
  return Array.from({ length: most }, (_, i) => `${i + 1}\n`).join('')
}
