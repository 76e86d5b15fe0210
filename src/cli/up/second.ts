// The second host of `muster up`: `muster node` as a process of its own, with a home of its own, enrolled once and joined again later.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../../contract/errors.ts'
import { enrollNode, listHosts, replaceHostToken } from '../../contract/host.ts'
import { identify, isAlive, ProcessIdentity } from '../../host/process-identity.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { Home } from '../home.ts'
import { selfCommand } from '../self.ts'
import { writeFileWhole } from '../whole-file.ts'

export const secondName = 'second'

const onlineDeadlineMs = 20_000
const endDeadlineMs = 5_000
const pollMs = 25

export interface SecondHost extends AsyncDisposable {
  readonly pid: number
}

export interface Joining {
  readonly home: Home
  readonly client: HubClient
  readonly hubUrl: string
  readonly env: NodeJS.ProcessEnv
  /** Resolves when the person wants to stop; then nothing is joined any more. */
  readonly stopping: Promise<unknown>
}

/** Starts the node and waits until the hub sees it. Undefined when it was stopped meanwhile. */
export async function joinSecond(joining: Joining): Promise<SecondHost | undefined> {
  const dir = joining.home.secondDir
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await endLeftover(dir)
  const { host, token } = await enrolment(joining)
  const child = await spawnNode(joining, token)
  const second = { pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child, dir) }
  try {
    const online = await Promise.race([untilOnline(joining, host, child), joining.stopping.then(() => false)])
    if (online) return second
    await second[Symbol.asyncDispose]()
    return undefined
  } catch (error) {
    await second[Symbol.asyncDispose]()
    throw error
  }
}

interface Enrolment {
  readonly host: string
  readonly token: string
}

/** For the host of an earlier start, as long as the hub knows it, another token: somebody may have replaced the one that is kept here. */
async function enrolment({ home, client }: Joining): Promise<Enrolment> {
  const file = join(home.secondDir, 'token')
  const token = await readFile(file, 'utf8').catch(() => undefined)
  const { hosts } = await client.hub.call(listHosts, {})
  const known = hosts.find(({ id }) => token?.includes(id))
  const enrolled = known ? await renewed(client, known.id) : await client.hub.call(enrollNode, { name: secondName })
  await writeFileWhole(file, `${enrolled.token}\n`)
  return { host: enrolled.host, token: enrolled.token }
}

async function renewed(client: HubClient, host: string): Promise<Enrolment> {
  const { joining } = await client.hub.call(replaceHostToken, { host })
  if (!joining) throw failure('internal', { problem: `the hub made no token for ${host}, which dials in` })
  return { host, token: joining.token }
}

async function spawnNode({ home, hubUrl, env }: Joining, token: string): Promise<ChildProcess> {
  await using log = await open(join(home.secondDir, 'node.log'), 'a', 0o600)
  const { node, script } = selfCommand()
  // Detached, so that the Ctrl-C that stops `up` reaches it in order: after what still needs it.
  const child = spawn(node, [script, 'node', '--hub', hubUrl, '--token-stdin', '--allow', '*', '--name', secondName], {
    detached: true,
    cwd: home.secondDir,
    stdio: ['pipe', log.fd, log.fd],
    env: { ...env, MUSTER_HOME: home.secondDir, MUSTER_HUB: undefined, MUSTER_TOKEN: undefined },
  })
  // A node that ended at once is seen by its exit; the broken pipe would only hide that.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(`${token}\n`)
  const identity = child.pid === undefined ? undefined : await identify(child.pid)
  if (identity) await writeFileWhole(pidFile(home.secondDir), JSON.stringify(identity))
  return child
}

async function untilOnline({ home, client }: Joining, host: string, child: ChildProcess): Promise<true> {
  const deadline = performance.now() + onlineDeadlineMs
  for (;;) {
    const { hosts } = await client.hub.call(listHosts, {})
    if (hosts.find(({ id }) => id === host)?.status === 'online') return true
    const ended = child.exitCode !== null || child.signalCode !== null
    if (ended || performance.now() > deadline) {
      const how = ended
        ? `ended (${child.signalCode ?? `exit ${child.exitCode}`})`
        : `did not join within ${onlineDeadlineMs / 1000} s`
      throw failure('internal', { problem: `the second host ${how}; its log is ${join(home.secondDir, 'node.log')}` })
    }
    await sleep(pollMs)
  }
}

async function end(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => {
      child.once('exit', resolve)
    })
    child.kill('SIGTERM')
    const late = sleep(endDeadlineMs, 'late', { ref: false })
    if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL')
    await ended
  }
  await rm(pidFile(dir), { force: true })
}

/** A node that outlived its `up` (killed, say) still has the home; it is ended first, if it is still the same process. */
async function endLeftover(dir: string): Promise<void> {
  const text = await readFile(pidFile(dir), 'utf8').catch(() => undefined)
  if (text === undefined) return
  const identity = ProcessIdentity.parse(JSON.parse(text))
  const deadline = performance.now() + endDeadlineMs
  for (
    let signal: NodeJS.Signals = 'SIGTERM';
    await isAlive(identity);
    signal = performance.now() > deadline ? 'SIGKILL' : signal
  ) {
    process.kill(identity.pid, signal)
    await sleep(pollMs)
  }
  await rm(pidFile(dir), { force: true })
}

function pidFile(dir: string): string {
  return join(dir, 'node.json')
}
