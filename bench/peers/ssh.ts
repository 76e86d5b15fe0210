// OpenSSH on this machine: a server of its own on 127.0.0.1 with throwaway keys, and one connection (ControlMaster) that is kept open.

import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../test/resources/free-port.ts'
import { until } from '../../test/resources/muster.ts'
import { type Line, openProxy } from '../../test/resources/proxy.ts'
import { findProgram } from './installed.ts'

const run = promisify(execFile)

export const sshName = 'ssh (ControlMaster)'
export const sshAnewName = 'ssh (new connection)'

export interface Ssh extends AsyncDisposable {
  /** Arguments that take `ssh` or `scp` over the open connection; `host` is whom to name. */
  readonly options: readonly string[]
  readonly host: string
  /** Runs a command line there, to its end. */
  run(command: string): Promise<string>
  /** The same over a connection of its own. */
  runAnew(command: string): Promise<string>
  /** The same server over a longer line, with a connection of its own that is open. */
  through(line: Line): Promise<AsyncDisposable & Pick<Ssh, 'options' | 'host'>>
  /** Runs a command line there; its standard output as it comes. */
  read(command: string): AsyncIterable<Uint8Array>
}

/** Undefined where OpenSSH's server or client is not installed. */
export async function startSsh(): Promise<Ssh | undefined> {
  const [sshd, ssh] = [await findProgram('sshd'), await findProgram('ssh')]
  if (!sshd || !ssh) return undefined
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'bench-ssh-'))
  opened.defer(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  await makeKey(join(dir, 'host'))
  await makeKey(join(dir, 'user'))
  await writeFile(join(dir, 'sshd_config'), serverConfig(dir, port))
  // Where the server separates its privileges; Debian makes it as its service starts.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })

  const server = spawn(sshd, ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdio: 'ignore' })
  opened.defer(() => void server.kill())
  const host = `${userInfo().username}@127.0.0.1`
  const options = clientOptions(dir, port)
  await until('the connection is open', async () => {
    try {
      await run(ssh, [...options, '-o', 'ControlMaster=auto', '-o', 'ControlPersist=yes', host, 'true'])
      return true
    } catch {
      // The server is not listening yet.
      return undefined
    }
  })
  opened.defer(async () => void (await run(ssh, [...options, '-O', 'exit', host])))
  const closing = opened.move()
  return {
    options,
    host,
    read: (command) => spawn(ssh, [...options, host, command], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout,
    async through(line) {
      const proxy = await openProxy(`http://127.0.0.1:${port}`, line)
      const far = ['-o', `Port=${new URL(proxy.url).port}`, '-o', `ControlPath=${dir}/far`, ...options]
      await run(ssh, [...far, '-o', 'ControlMaster=auto', '-o', 'ControlPersist=yes', host, 'true'])
      return {
        options: far,
        host,
        async [Symbol.asyncDispose]() {
          await run(ssh, [...far, '-O', 'exit', host])
          await proxy[Symbol.asyncDispose]()
        },
      }
    },
    // Of an option that is given twice ssh takes the first.
    runAnew: async (command) => (await run(ssh, ['-o', 'ControlPath=none', ...options, host, command])).stdout,
    run: async (command) => (await run(ssh, [...options, host, command])).stdout,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function makeKey(file: string): Promise<void> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  if (file.endsWith('user')) await writeFile(`${file}.authorized`, await readFile(`${file}.pub`), { mode: 0o600 })
}

function serverConfig(dir: string, port: number): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${dir}/host`,
    `AuthorizedKeysFile ${dir}/user.authorized`,
    'PidFile none',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    // Its directory is a temporary one, which the server would not trust.
    'StrictModes no',
    // A hundred commands at once over one connection.
    'MaxSessions 200',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n')
}

function clientOptions(dir: string, port: number): string[] {
  const settings = [
    `Port=${port}`,
    `IdentityFile=${dir}/user`,
    `UserKnownHostsFile=${dir}/known`,
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    'LogLevel=ERROR',
    'BatchMode=yes',
    `ControlPath=${dir}/master`,
  ]
  return ['-F', 'none', ...settings.flatMap((setting) => ['-o', setting])]
}
