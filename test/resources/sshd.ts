// OpenSSH's server on a loopback address, with throwaway keys: whoever has the user key is the account that runs the test.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { until } from './muster.ts'

const run = promisify(execFile)

export interface Sshd extends AsyncDisposable {
  readonly address: string
  readonly port: number
  /** The private key that it lets in. */
  readonly identity: string
  /** An entry for an ssh configuration file; `lines` are further ones of it. */
  entry(alias: string, lines?: readonly string[]): string
  /** What it is known by, for a known_hosts file. */
  readonly known: string
  /** Its processes that serve a login now. */
  sessions(): Promise<number[]>
  /** Kills them, as a cut network would end them: nobody takes leave. */
  cut(): Promise<void>
  /** Answers no connection until `start`; sessions go on. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Debian keeps it where an ordinary account's path does not lead. */
function findSshd(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'sshd')).find((file) => existsSync(file))
}

interface SshdOptions {
  readonly address?: string
  /** Where the address is none of this machine's, a port that is free there. */
  readonly port?: number
  /** A line for the shell there, in which "$SSH_ORIGINAL_COMMAND" is what the client asked for. */
  readonly forced?: string
  /** It takes passwords and no keys. */
  readonly passwordOnly?: true
  /** A program that becomes it. */
  readonly under?: readonly string[]
}

export async function openSshd({
  address = '127.0.0.1',
  port: given,
  forced,
  passwordOnly,
  under = [],
}: SshdOptions = {}): Promise<Sshd> {
  const program = findSshd()
  if (program === undefined) throw new Error('there is no sshd')
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'muster-sshd-'))
  opened.defer(() => rm(dir, { recursive: true, force: true }))
  const port = given ?? (await freePort(address))
  for (const key of ['host', 'user']) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, key)])
  // Where the server separates its privileges; Debian makes it as its service starts.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  await writeFile(join(dir, 'sshd_config'), serverConfig({ dir, address, port, forced, passwordOnly }))
  const known = `[${address}]:${port} ${await readFile(join(dir, 'host.pub'), 'utf8')}`

  let server: { pid: number; stop: () => Promise<void> } | undefined
  async function start(): Promise<void> {
    const [first = '', ...rest] = [...under, program as string, '-D', '-e', '-f', join(dir, 'sshd_config')]
    const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
    let log = ''
    child.stderr.on('data', (piece) => {
      log += String(piece)
    })
    const exited = once(child, 'exit')
    await until(`sshd listens\n${log}`, async () => (log.includes('Server listening') ? true : undefined))
    server = {
      pid: child.pid as number,
      async stop() {
        child.kill('SIGKILL')
        await exited
      },
    }
  }
  const sessions = async () => sessionsOf(server?.pid)
  const cut = async () => {
    for (const pid of await sessions()) killIfThere(pid)
  }
  async function stop(): Promise<void> {
    await server?.stop()
  }
  opened.defer(async () => {
    await cut()
    await stop()
  })
  await start()

  const closing = opened.move()
  const identity = join(dir, 'user')
  return {
    address,
    port,
    identity,
    known,
    entry: (alias, lines = []) =>
      [
        `Host ${alias}`,
        ...[`HostName ${address}`, `Port ${port}`, `User ${userInfo().username}`, `IdentityFile ${identity}`, ...lines].map(
          (line) => `  ${line}`,
        ),
        '',
      ].join('\n'),
    sessions,
    cut,
    stop,
    start,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

interface ServerConfig extends Pick<SshdOptions, 'address'> {
  readonly dir: string
  readonly port: number
  readonly forced: string | undefined
  readonly passwordOnly: true | undefined
}

function serverConfig(of: ServerConfig): string {
  return [
    `Port ${of.port}`,
    `ListenAddress ${of.address}`,
    `HostKey ${of.dir}/host`,
    `AuthorizedKeysFile ${of.dir}/user.pub`,
    'PidFile none',
    `PasswordAuthentication ${of.passwordOnly ? 'yes' : 'no'}`,
    `PubkeyAuthentication ${of.passwordOnly ? 'no' : 'yes'}`,
    'KbdInteractiveAuthentication no',
    `PermitRootLogin ${of.passwordOnly ? 'yes' : 'prohibit-password'}`,
    'UsePAM no',
    // Its directory is a temporary one, which the server would not trust.
    'StrictModes no',
    // A suite opens many at once.
    'MaxStartups 100',
    ...(of.forced === undefined ? [] : [`ForceCommand ${of.forced}`]),
    '',
  ].join('\n')
}

interface Process {
  readonly pid: number
  readonly parent: number
  readonly name: string
}

/** The sshd processes below the listener; not what they have started for who logged in. */
async function sessionsOf(server: number | undefined): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = (await Promise.all(pids.map(readProcess))).filter((one) => one !== undefined)
  const sessions = new Set([server])
  // A login of another account than root has two, one below the other.
  for (const _ of [1, 2]) {
    for (const { pid, parent, name } of found) if (sessions.has(parent) && name.startsWith('sshd')) sessions.add(pid)
  }
  return [...sessions].filter((pid) => pid !== undefined && pid !== server) as number[]
}

async function readProcess(pid: string): Promise<Process | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const end = stat.lastIndexOf(')')
  if (end === -1) return undefined
  return { pid: Number(pid), parent: Number(stat.slice(end + 2).split(' ')[1]), name: stat.slice(stat.indexOf('(') + 1, end) }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
