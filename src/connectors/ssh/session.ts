// One `ssh` process: started, heard until the far side says that it has joined its node, then a channel over its two pipes.
// It is the leader of a session of its own: no terminal that it could ask, and its jumps end with it.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorValue, failure, type MusterError } from '../../contract/errors.ts'
import type { Channel } from '../../wire/channel.ts'
import { stdioChannel } from '../../wire/channels/stdio.ts'
import { linkArguments } from './arguments.ts'
import type { SshConfig } from './config.ts'
import { findMarker, type Marker } from './marker.ts'
import { noiseProblem, problemOf, shown } from './problem.ts'

/** For ssh, the shell there, `node attach` and the node that it may have to start. */
const joinTimeoutMs = 40_000
const mostNoiseBytes = 64 * 1024
const keptStderrBytes = 8 * 1024
/** Between closing its stdin, asking it to end and killing it. */
const graceMs = 1_000

type Ssh = ChildProcessByStdio<Writable, Readable, Readable>

export interface SshSession {
  readonly channel: Channel
  /** Resolves when the process has ended, with why if it said so. */
  readonly ended: Promise<MusterError | undefined>
  /** Ends it; resolves when it is gone. May be called twice. */
  close(): Promise<void>
}

/** Rejects with an `ssh.…` error, and leaves nothing behind. */
export async function openSession(config: SshConfig, controlPath: string, signal: AbortSignal): Promise<SshSession> {
  signal.throwIfAborted()
  const child = await spawnSsh(linkArguments(config, controlPath))
  const heard = listen(child)
  try {
    const { marker, rest } = await heardMarker(child, config, heard, signal)
    if ('error' in marker) throw farSide(config, marker.error)
    if (rest.length > 0) child.stdout.unshift(rest)
    const ended = exitOf(child).then((code) => {
      const stderr = heard.stderr()
      return code === 255 && stderr !== '' ? problemOf(config, { code, stderr, stdout: '' }) : undefined
    })
    return { channel: stdioChannel({ input: child.stdout, output: child.stdin }), ended, close: () => leave(child) }
  } catch (error) {
    await end(child)
    throw error
  }
}

async function spawnSsh(args: readonly string[]): Promise<Ssh> {
  const child = spawn('ssh', args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: withoutAskpass(process.env),
    cwd: '/',
  })
  try {
    await once(child, 'spawn')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw failure('ssh.no_client')
    throw cause
  }
  // A pipe that breaks is told by the end of its output and of itself.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => undefined)
  return child
}

/** A window on somebody's screen is a question too. */
function withoutAskpass({ SSH_ASKPASS, SSH_ASKPASS_REQUIRE, DISPLAY, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, SSH_ASKPASS_REQUIRE: 'never' }
}

interface Heard {
  /** The last of it. */
  stderr(): string
}

function listen(child: Ssh): Heard {
  let kept = Buffer.alloc(0)
  child.stderr.on('data', (piece: Buffer) => {
    kept = Buffer.concat([kept, piece]).subarray(-keptStderrBytes)
  })
  return { stderr: () => kept.toString('utf8') }
}

async function heardMarker(
  child: Ssh,
  config: SshConfig,
  heard: Heard,
  signal: AbortSignal,
): Promise<{ marker: Marker; rest: Buffer }> {
  const found = Promise.withResolvers<{ marker: Marker; rest: Buffer }>()
  let seen: Buffer = Buffer.alloc(0)
  const take = (piece: Buffer) => {
    seen = Buffer.concat([seen, piece])
    const marked = findMarker(seen)
    if (marked) found.resolve(marked)
    else if (seen.length > mostNoiseBytes) found.reject(noiseProblem(config, seen.toString('utf8')))
  }
  const timer = setTimeout(() => {
    const problem = `nothing of Muster was heard within ${joinTimeoutMs / 1000} s`
    found.reject(
      seen.length > 0
        ? noiseProblem(config, seen.toString('utf8'))
        : failure('ssh.unreachable', { destination: config.destination, problem }),
    )
  }, joinTimeoutMs)
  const leave = () => found.reject(failure('wire.closed', { reason: 'the hub is letting go of this host' }))
  signal.addEventListener('abort', leave, { once: true })
  void exitOf(child).then((code) => {
    // A marker that came with the end is heard first: `exitOf` waits for the pipes.
    found.reject(problemOf(config, { code, stderr: heard.stderr(), stdout: seen.toString('utf8') }))
  })
  child.stdout.on('data', take)
  try {
    const marked = await found.promise
    child.stdout.pause()
    return marked
  } finally {
    child.stdout.off('data', take)
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}

/** The exit code once the process has ended and its pipes are read, or a moment after if somebody else holds them open. */
async function exitOf(child: Ssh): Promise<number | null> {
  if (!hasEnded(child)) await once(child, 'exit')
  const closed = [child.stdout, child.stderr].map((pipe) => (pipe.closed ? undefined : once(pipe, 'close')))
  await Promise.race([Promise.allSettled(closed), delay(graceMs, undefined, { ref: false })])
  return child.exitCode
}

/** The end of its input is the far side's as well, which then ends by itself. */
async function leave(child: Ssh): Promise<void> {
  child.stdin.end()
  await endsWithin(child)
  await end(child)
}

async function end(child: Ssh): Promise<void> {
  if (hasEnded(child)) return
  signalAll(child, 'SIGTERM')
  if (await endsWithin(child)) return
  signalAll(child, 'SIGKILL')
  await endsWithin(child)
}

async function endsWithin(child: Ssh): Promise<boolean> {
  const waiting = new AbortController()
  if (!hasEnded(child)) {
    await Promise.race([once(child, 'exit'), delay(graceMs, undefined, { signal: waiting.signal }).catch(() => undefined)])
    waiting.abort()
  }
  return hasEnded(child)
}

function hasEnded(child: Ssh): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Its whole group: with it the ssh processes of its jumps. */
function signalAll(child: Ssh, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid as number), signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** What the far side says of itself, in this side's words: its codes are not this side's. */
function farSide({ destination }: SshConfig, { message, hint }: ErrorValue): MusterError {
  return failure('ssh.far_side', { destination, problem: shown(message).replace(/\.$/, ''), hint: shown(hint) })
}
