// Each connector's page, followed as a new user would: the installed `muster` on the path, a home in which nothing is, and the page's
// own command lines typed into a shell of the machine that they are for. Lines that are not typed are named, with the reason.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, type } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { expect } from 'vitest'
import { root } from '../../scripts/files.ts'
import { freePort } from '../resources/free-port.ts'
import { endProcessesOf } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openSshd } from '../resources/sshd.ts'

interface Typed {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Session {
  readonly child: ChildProcess
  readonly log: () => string
  /** Ends the line as Ctrl-C would. */
  interrupt(): Promise<void>
}

/** Somebody's account on a machine on which `muster` has just been installed. */
interface Machine extends AsyncDisposable {
  readonly home: string
  readonly path: string
  /** A line that ends, and must end well. */
  type(line: string): Promise<Typed>
  /** A line that goes on. */
  begin(line: string): Session
  /** Its own hub. */
  startHub(): Promise<string>
}

async function newMachine(bin: string): Promise<Machine> {
  const home = await mkdtemp(join(tmpdir(), 'muster-new-'))
  const path = [join(home, 'bin'), bin, dirname(process.execPath), process.env.PATH].join(delimiter)
  const kept = Object.entries(process.env).filter(([name]) => !/^(MUSTER_|npm_|NODE_|VITEST)/i.test(name))
  const env = { ...Object.fromEntries(kept), HOME: home, PATH: path, MUSTER_KEYCHAIN: 'off' }

  function begin(line: string): Session {
    // A group of its own, as a shell gives each line that is typed.
    const child = spawn('sh', ['-c', line], { cwd: home, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece) => {
        log += String(piece)
      })
    const ended = once(child, 'close')
    return {
      child,
      log: () => log,
      async interrupt() {
        process.kill(-(child.pid as number), 'SIGINT')
        await ended
      },
    }
  }
  async function typeLine(line: string): Promise<Typed> {
    const child = spawn('sh', ['-c', line], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray())
    const [code] = (await once(child, 'close')) as [number | null]
    const typed = { code, stdout: ((await stdout) ?? []).join(''), stderr: ((await stderr) ?? []).join('') }
    expect(typed, line).toMatchObject({ code: 0 })
    return typed
  }
  return {
    home,
    path,
    type: typeLine,
    begin,
    async startHub() {
      await typeLine('muster hub start --bind 127.0.0.1:0')
      return JSON.parse((await typeLine('muster hub status --json')).stdout).url
    },
    async [Symbol.asyncDispose]() {
      await endProcessesOf(home)
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

/** The command lines of a page's code blocks, in their order, with this test's names for the page's. */
function linesOf(page: string, names: Readonly<Record<string, string>>): string[] {
  const text = readFileSync(join(root, 'docs/connectors', page), 'utf8')
  const blocks = [...text.matchAll(/^```\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'))
  const commands = blocks.filter((line) => /^(muster|mkdir|echo|ssh|openssl|\(umask) ?/.test(line))
  return commands.map((line) => Object.entries(names).reduce((typed, [theirs, ours]) => typed.replaceAll(theirs, ours), line))
}

/** Goes through a page from its top: a line that the page does not have next, or that is left at its end, fails. */
function follow(page: string, names: Readonly<Record<string, string>>) {
  const lines = linesOf(page, names)
  return {
    next(beginning: string): string {
      const line = lines.shift() ?? ''
      expect(line.startsWith(beginning), `${page} goes on with: ${line}`).toBe(true)
      return line
    },
    /** Not typed here. */
    skip(reason: string, ...patterns: readonly RegExp[]): void {
      for (const pattern of patterns) expect(lines.shift(), reason).toMatch(pattern)
    },
    end(): void {
      expect(lines, `${page} has lines that nobody typed`).toEqual([])
    },
  }
}

/** `host list` names it as online; what the page says of waiting is left to the reader. */
async function isOnline(hub: Machine, line: string, name: string, session?: Session): Promise<void> {
  await until(
    `${name} is online`,
    async () => (new RegExp(`^\\S+ +${name} .*online`, 'm').test((await hub.type(line)).stdout) ? true : undefined),
    session,
  )
}

async function saysItsSystem(hub: Machine, line: string): Promise<void> {
  expect((await hub.type(line)).stdout).toMatch(new RegExp(`^${type()} `))
}

export const pages: Readonly<Record<string, (bin: string) => Promise<void>>> = {
  async 'local.md'(bin) {
    await using hub = await newMachine(bin)
    await hub.startHub()
    const page = follow('local.md', {})
    await saysItsSystem(hub, page.next('muster exec local'))
    page.end()
  },

  async 'tunnel.md'(bin) {
    await using hub = await newMachine(bin)
    await using box = await newMachine(bin)
    const page = follow('tunnel.md', { 'wss://hub.example': (await hub.startHub()).replace('http', 'ws') })
    /** What is printed for the machine, as it stands there. */
    const joining = (printed: string) => /^ +(echo mnode_\S+ \| muster node .* --token-stdin)$/m.exec(printed)?.[1] ?? 'false'

    const printed = joining((await hub.type(page.next('muster node enroll build-box'))).stdout)
    expect(printed.replaceAll(/(mnode_host_|host_)\w+/g, '$1…')).toBe(page.next('echo mnode_host_… |'))
    const first = box.begin(printed)
    await until(
      'it has joined',
      async () => (/build-box/.test((await hub.type('muster host list')).stdout) ? true : undefined),
      first,
    )
    await isOnline(hub, 'muster host list', 'build-box', first)
    await first.interrupt()
    const again = box.begin(page.next('muster node --hub'))
    await isOnline(hub, page.next('muster host list'), 'build-box', again)
    await saysItsSystem(hub, page.next('muster exec build-box'))
    page.skip('test/fleet/tunnel-tls.test.ts has a private authority', /^muster node --hub .* --ca-file/)

    const another = joining((await hub.type(page.next('muster host token build-box'))).stdout)
    await writeFile(join(box.home, 'token-file'), /mnode_\S+/.exec(another)?.[0] ?? '')
    await until('the node has ended', async () => again.child.exitCode ?? undefined)
    const renewed = box.begin(page.next('muster node --hub'))
    await isOnline(hub, 'muster host list', 'build-box', renewed)
    await hub.type(page.next('muster host remove build-box'))
    await until('the node has ended', async () => renewed.child.exitCode ?? undefined)
    page.end()
  },

  async 'bucket.md'(bin) {
    await using hub = await newMachine(bin)
    await using box = await newMachine(bin)
    await using share = await newMachine(bin)
    await hub.startHub()
    await mkdir(join(share.home, 'bucket'))
    const page = follow('bucket.md', {
      's3://my-bucket': `file://${join(share.home, 'bucket')}`,
      '/srv/drop': join(share.home, 'drop'),
      'make nightly': 'echo nightly',
    })
    const joining = /^ +(echo mpull_\S+ \| muster node pull .*)$/m

    const added = await hub.type(page.next('muster host add nightly'))
    page.skip('typed as it was printed', /^echo mpull_host_… \| muster node pull/)
    const first = box.begin(joining.exec(added.stderr)?.[1] ?? 'false')
    await isOnline(hub, 'muster host list', 'nightly', first)
    await first.interrupt()
    const later = box.begin(page.next('muster node pull'))
    const draining = page.next('muster node pull')
    await isOnline(hub, page.next('muster host list'), 'nightly', later)
    await saysItsSystem(hub, page.next('muster exec nightly'))
    await later.interrupt()
    const queued = (await hub.type(page.next('muster exec nightly --queue --detach'))).stdout.trim()
    await box.type(draining)
    await until('the queued run has ended', async () =>
      /succeeded/.test((await hub.type(`muster run show ${queued}`)).stdout) ? true : undefined,
    )
    expect((await hub.type(`muster run logs ${queued}`)).stdout).toBe('nightly\n')

    await hub.type('muster host remove nightly')
    await share.type(page.next('mkdir -p'))
    const shared = await hub.type(page.next('muster host add nightly'))
    page.skip('typed as it was printed', /^echo mpull_host_… \| muster node pull/)
    await using another = await newMachine(bin)
    const pulling = another.begin(joining.exec(shared.stderr)?.[1] ?? 'false')
    await isOnline(hub, 'muster host list', 'nightly', pulling)
    await saysItsSystem(hub, 'muster exec nightly -- uname -a')
    page.end()
  },

  async 'http.md'(bin) {
    await using hub = await newMachine(bin)
    await using box = await newMachine(bin)
    await hub.startHub()
    const address = `127.0.0.1:${await freePort()}`
    const page = follow('http.md', { '127.0.0.1:7878': address, 'https://hub.example.com': `http://${address}` })
    const carry = async (file: string) => writeFile(join(hub.home, file), await readFile(join(box.home, file)))

    await box.type(page.next('(umask 077;'))
    const serving = box.begin(page.next('muster hub serve'))
    await until(
      'it serves',
      async () => ((await fetch(`http://${address}/healthz`).catch(() => undefined))?.ok ? true : undefined),
      serving,
    )
    await box.type(page.next('muster token create my-hub'))
    await carry('muster-token')
    await hub.type(page.next('muster host add prod'))
    await isOnline(hub, page.next('muster host list'), 'prod', serving)
    await saysItsSystem(hub, page.next('muster exec prod'))
    page.skip('test/connectors/http has pins', /^echo "sha256/, /^openssl s_client/)
    const { stdout } = await box.type(page.next('muster token create my-hub-2'))
    await writeFile(join(hub.home, 'muster-token-2'), /mtok_\S+/.exec(stdout)?.[0] ?? '')
    expect((await hub.type(page.next('muster host token prod'))).stderr).toMatch(/prod answered/)
    await hub.type(page.next('muster host remove prod'))
    page.end()
  },

  async 'ssh.md'(bin) {
    await using hub = await newMachine(bin)
    await using box = await newMachine(bin)
    // Whoever logs in is that account, in its home, with what is installed there.
    const shell = `cd ${box.home} && exec env -i HOME=${box.home} PATH=${box.path} sh -c "$SSH_ORIGINAL_COMMAND"`
    await using sshd = await openSshd({ forced: shell })
    const config = join(hub.home, 'ssh_config')
    await writeFile(join(hub.home, 'known_hosts'), sshd.known)
    await writeFile(config, sshd.entry('build.example.com', [`UserKnownHostsFile ${join(hub.home, 'known_hosts')}`]))
    // ssh looks for its configuration where the system says that the account lives, whatever HOME is.
    await mkdir(join(hub.home, 'bin'))
    const ssh = execFileSync('sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).trim()
    await writeFile(join(hub.home, 'bin', 'ssh'), `#!/bin/sh\nexec ${ssh} -F ${config} "$@"\n`, { mode: 0o700 })
    await hub.startHub()

    const page = follow('ssh.md', { 'deploy@build.example.com': 'build.example.com' })
    await hub.type(page.next('ssh -o BatchMode=yes'))
    expect((await hub.type(page.next('ssh build.example.com muster --version'))).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect((await hub.type(page.next('muster host add build-box'))).stderr).toMatch(/build-box answered/)
    await isOnline(hub, page.next('muster host list'), 'build-box')
    await saysItsSystem(hub, page.next('muster exec build-box'))
    page.skip('the same by an entry of the configuration, as here', /^muster host add build-box --ssh build-box/)
    await hub.type(page.next('muster host remove build-box'))
    page.end()
  },
}
