// Starts this machine's node daemon so that it outlives the ssh session: own session, its log in node/daemon.log, nothing of the
// session's left open in it. Two that are started at once are one: the second finds the home locked.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorValue, failure, MusterError } from '../../contract/errors.ts'
import type { Home } from '../home.ts'
import { findHub } from '../hub-record.ts'
import { selfCommand } from '../self.ts'
import type { Terminal } from '../terminal.ts'

const readyDeadlineMs = 20_000
const pollMs = 25
/** One that was just ending still has the home; another is started after this. */
const againMs = 1_000

/** Resolves with what `reach` answers once the daemon listens. Throws what the daemon says, or `attach.home_taken`. */
export async function startDaemon<T>(
  terminal: Terminal,
  home: Home,
  dir: string,
  reach: () => Promise<T | undefined>,
): Promise<T> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const deadline = performance.now() + readyDeadlineMs
  for (;;) {
    const taken = await whoElse(home)
    if (taken !== undefined) throw failure('attach.home_taken', { path: home.dir, by: taken })
    const daemon = await spawnDaemon(terminal, home, dir)
    const joined = await reachBefore(daemon, reach, deadline)
    if (joined !== undefined) return joined
    if (performance.now() > deadline) {
      throw failure('attach.home_taken', { path: home.dir, by: 'another Muster process, perhaps an older `muster node`' })
    }
    await delay(againMs)
  }
}

interface Daemon {
  /** Why it ended, once it has. */
  readonly ended: () => MusterError | undefined
  release(): void
}

/** Undefined when the home was found locked, or at the deadline. Throws what else the daemon says. */
async function reachBefore<T>(daemon: Daemon, reach: () => Promise<T | undefined>, deadline: number): Promise<T | undefined> {
  try {
    while (performance.now() < deadline) {
      const reached = await reach()
      if (reached !== undefined) return reached
      const why = daemon.ended()
      if (why?.code === 'home.locked') return undefined
      if (why) throw why
      await delay(pollMs)
    }
    return undefined
  } finally {
    daemon.release()
  }
}

async function spawnDaemon({ env }: Terminal, home: Home, dir: string): Promise<Daemon> {
  await using log = await open(join(dir, 'daemon.log'), 'a', 0o600)
  const { node, script } = selfCommand()
  const child = spawn(node, [script, 'node', 'daemon', '--json'], {
    detached: true,
    cwd: home.dir,
    // It says on stdout why it ended, and nothing before.
    stdio: ['ignore', 'pipe', log.fd],
    // It stands elsewhere, where a relative home would be another.
    env: { ...env, MUSTER_HOME: home.dir },
  })
  let why: MusterError | undefined
  void reasonOf(child).then((reason) => {
    why = reason
  })
  return {
    ended: () => why,
    release() {
      child.stdout?.destroy()
      child.unref()
    },
  }
}

async function reasonOf(child: ChildProcess): Promise<MusterError> {
  let text = ''
  child.stdout?.on('data', (piece) => {
    text += String(piece)
  })
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    try {
      return new MusterError((JSON.parse(text) as { error: ErrorValue }).error)
    } catch (cause) {
      return failure('internal', { problem: `the node's daemon ended (${signal ?? `exit ${code}`}) and said nothing` }, { cause })
    }
  } catch (cause) {
    return failure('internal', { problem: `the node's daemon could not be started: ${(cause as Error).message}` }, { cause })
  }
}

async function whoElse(home: Home): Promise<string | undefined> {
  const hub = await findHub(home)
  return hub && `the hub of that account (pid ${hub.pid})`
}
