// The processes of a host, started once and followed to their end, whoever dies meanwhile. Runs and procs are carried by them.
//
//     kept      the keeper holds it: exact exit, open stdin
//     orphaned  its keeper was killed: known by pid and start time, watched until it is gone; how it ended is not known
//
// Only an exit record or the process's being gone ends a process here. Nothing else does.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { observeOutput } from '../store/output/observe.ts'
import type { HostHome } from './home.ts'
import type { KeeperClient } from './keeper/client.ts'
import { type ExitRecord, readExitRecord } from './keeper/exit-record.ts'
import { signalGroup } from './keeper/group.ts'
import { otherKeeperLives } from './keeper/place.ts'
import { type GroupSignal, type SpawnRequest, signalProcess, spawnProcess, writeProcessStdin } from './keeper/protocol.ts'
import type { StdinPart } from './keeper/stdin.ts'
import { claimSpawn, readTrace, type Trace } from './keeper/trace.ts'
import { watchOrphan } from './orphan.ts'
import { findByEnvironment, isAlive, type ProcessIdentity } from './process-identity.ts'

export type Ended =
  | { readonly how: 'recorded'; readonly record: ExitRecord }
  /** Gone without an exit record. */
  | { readonly how: 'gone'; readonly output: ExitRecord['output'] }

export interface Process {
  readonly identity: ProcessIdentity
  readonly startedAt: string
  /** Signals the whole group, after making sure that it is still this process. */
  signal(signal: GroupSignal): Promise<void>
  writeStdin(part: StdinPart, body: AsyncIterable<Uint8Array>): Promise<number>
  /** Resolves once. Rejects only with `host.stopped`, when this host closes and the process goes on. */
  readonly ended: Promise<Ended>
}

export type Found =
  | { readonly found: 'none' }
  | { readonly found: 'process'; readonly process: Process }
  | { readonly found: 'ended'; readonly ended: Ended }

export interface Processes {
  /** Starts it, unless it ever was started under this id. Throws `proc.keeper` if it was not started and now never will be. */
  start(request: SpawnRequest): Promise<Found>
  /** What was started under this id; if that is nothing, nothing ever will be. `mark` is what it carries in its environment and no other process does. */
  find(id: string, mark: readonly string[]): Promise<Found>
  /** Lets go of the processes and of the keeper; both go on. */
  close(): void
}

const spawnTimeoutMs = 30_000
const signalTimeoutMs = 2_000
const startAttempts = 3

export function openProcesses(home: HostHome, keeper: KeeperClient, log: Logger): Processes {
  const closing = new AbortController()
  const dirOf = (id: string) => join(home.dir, id)

  async function start(request: SpawnRequest): Promise<Found> {
    const mark = Object.entries(request.env)
      .filter(([name]) => name.startsWith('MUSTER_'))
      .map(([name, value]) => `${name}=${value}`)
    for (let attempt = 1; ; attempt++) {
      try {
        const connection = await keeper.need()
        const { trace, held } = await connection.caller.call(spawnProcess, request, { timeoutMs: spawnTimeoutMs })
        if (held) connection.expect(request.id)
        return await follow(request.id, mark, trace)
      } catch (error) {
        closing.signal.throwIfAborted()
        log.warn({ id: request.id, attempt, error }, 'the keeper did not answer a start')
        // Asking again is harmless: what was started is found.
        if (attempt === startAttempts) return giveUpStart(request.id, mark, asMusterError(error))
      }
    }
  }

  async function giveUpStart(id: string, mark: readonly string[], error: MusterError): Promise<Found> {
    const found = await find(id, mark)
    if (found.found !== 'none') return found
    // A want of file descriptors says itself what to do.
    throw error.code === 'proc.keeper' || error.code === 'process.descriptors'
      ? error
      : failure('proc.keeper', { problem: error.message }, { cause: error })
  }

  /** Makes the claim that no keeper made, so that a late one cannot start what is now reported as not started. */
  async function find(id: string, mark: readonly string[]): Promise<Found> {
    const dir = dirOf(id)
    const trace = readTrace(dir)
    if (trace.found !== 'none') return follow(id, mark, trace)
    await mkdir(dir, { recursive: true, mode: 0o700 })
    return claimSpawn(dir, new Date().toISOString()) ? { found: 'none' } : follow(id, mark, readTrace(dir))
  }

  async function follow(id: string, mark: readonly string[], trace: Trace): Promise<Found> {
    switch (trace.found) {
      case 'none':
        return { found: 'none' }
      case 'ended':
        return { found: 'ended', ended: { how: 'recorded', record: trace.record } }
      case 'spawned':
        return { found: 'process', process: open(id, trace.identity, trace.startedAt) }
      case 'claimed': {
        const identity = await findByEnvironment(mark)
        if (identity) return { found: 'process', process: open(id, identity, trace.startedAt) }
        const again = readTrace(dirOf(id))
        if (again.found !== 'claimed') return follow(id, mark, again)
        return { found: 'ended', ended: { how: 'gone', output: await (await observeOutput(dirOf(id))).close() } }
      }
    }
  }

  function open(id: string, identity: ProcessIdentity, startedAt: string): Process {
    return {
      identity,
      startedAt,
      async signal(signal) {
        if (await signalThroughKeeper(id, signal)) return
        if (await isAlive(identity)) signalGroup(identity.pid, signal)
      },
      async writeStdin({ signal, ...part }, body) {
        const connection = await keeper.find()
        if (!connection?.holds(id)) throw failure('run.stdin_closed', { run: part.run })
        const { written } = await connection.caller.upload(writeProcessStdin, { id, ...part }, body, { signal })
        return written
      },
      ended: untilEnded(id, identity),
    }
  }

  /** False when no keeper that answers holds it: one that is hung, or is killed just now, must not keep a process alive. */
  async function signalThroughKeeper(id: string, signal: GroupSignal): Promise<boolean> {
    try {
      const connection = await keeper.find()
      if (!connection?.holds(id)) return false
      await connection.caller.call(signalProcess, { id, signal }, { timeoutMs: signalTimeoutMs })
      return true
    } catch (error) {
      log.warn({ id, signal, error }, 'the keeper did not carry out a signal')
      return false
    }
  }

  async function untilEnded(id: string, identity: ProcessIdentity): Promise<Ended> {
    const dir = dirOf(id)
    for (;;) {
      closing.signal.throwIfAborted()
      const connection = await keeper.find()
      if (connection?.holds(id)) {
        const record = await connection.ended(id)
        if (record) return { how: 'recorded', record }
        continue
      }
      const output = await watchOrphan(dir, identity, () => otherKeeperLives(home.dir), closing.signal)
      // The record comes before the keeper lets go of the process, so that one which is not held and has none never gets one.
      const record = readExitRecord(dir)
      return record ? { how: 'recorded', record } : { how: 'gone', output }
    }
  }

  return {
    start,
    find,
    close() {
      closing.abort(failure('host.stopped'))
      // Wakes everybody who waits for an end over the connection.
      keeper.close()
    },
  }
}
