// The real `muster` binary: run to its end, or started as a hub or a node that the test can kill.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Run } from '../../src/contract/run.ts'
import { type Home, makeHome } from './home.ts'

export const checkout = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `muster ARGS` in a home; `input` is its standard input. */
export async function muster(
  home: string,
  args: readonly string[],
  {
    input = '',
    env = {},
    cwd,
  }: {
    input?: string | Uint8Array
    env?: Record<string, string>
    cwd?: string
  } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [checkout, ...args], {
    env: { ...process.env, ...env, MUSTER_HOME: home },
    ...(cwd && { cwd }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', ignoreClosedPipe)
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** A command that ends before it has read its input is not an error of the test's. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error
}

/** `muster ARGS --json`, which must succeed; its answer. */
export async function musterJson<T>(
  home: string,
  args: readonly string[],
  options: Parameters<typeof muster>[2] = {},
): Promise<T> {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const { code, stdout, stderr } = await muster(home, args.toSpliced(end, 0, '--json'), options)
  if (code !== 0) throw new Error(`muster ${args.join(' ')} exited ${code}: ${stderr}${stdout}`)
  return JSON.parse(stdout) as T
}

/** `muster exec --detach`; the run's id. */
export async function execDetached(
  home: string,
  host: string,
  command: readonly string[],
  options: readonly string[] = [],
): Promise<string> {
  const { runs } = await musterJson<{ runs: { run: string }[] }>(home, ['exec', host, '--detach', ...options, '--', ...command])
  return runs[0]?.run as string
}

/** The run once it has ended. */
export function endOf(home: string, run: string, deadlineMs?: number): Promise<Run> {
  return until(
    `${run} ends`,
    async () => {
      const now = await musterJson<Run>(home, ['run', 'show', run])
      return now.endedAt === null ? undefined : now
    },
    undefined,
    deadlineMs,
  )
}

export interface Served extends AsyncDisposable {
  readonly home: string
  readonly pid: number
  /** Everything it wrote so far, for a failing test to show. */
  readonly log: () => string
  /** Resolves when it has ended, however. */
  readonly ended: Promise<unknown>
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>
}

export interface ServedHub extends Served {
  readonly url: string
}

/** Starts `muster hub serve` and waits until it answers. Disposing kills it; the home stays its owner's. */
export async function serveHub(
  home: Home,
  { bind = '127.0.0.1:0', env = {}, ...how }: { bind?: string; env?: Record<string, string> } & How = {},
): Promise<ServedHub> {
  const served = start(home.path, ['hub', 'serve', '--bind', bind, '--no-open'], env, '', how)
  const status = await until(
    `the hub answers\n${served.log()}`,
    async () => {
      const { code, stdout } = await muster(home.path, ['hub', 'status', '--json'])
      return code === 0 ? (JSON.parse(stdout) as { urls: string[]; pid: number }) : undefined
    },
    served,
  )
  return { ...served, url: status.urls[0] as string }
}

interface NodeOptions extends How {
  readonly via?: string
  readonly env?: Record<string, string>
  readonly allow?: readonly string[]
}

/** Starts `muster node` joined to a hub under a name; `via` is another address for the same hub, e.g. a proxy's. */
export async function joinNode(
  hub: ServedHub,
  name: string,
  home: Home,
  { via = hub.url, ...options }: NodeOptions = {},
): Promise<Served & { host: string }> {
  const { token, host } = await musterJson<{ token: string; host: string }>(hub.home, [
    'node',
    'enroll',
    name,
    '--hub-url',
    wsUrl(via),
  ])
  return { ...(await rejoinNode(hub, name, home, { via, ...options, token })), host }
}

/** Starts the node of a home that has joined before (or now, with a token), and waits until its hub sees it. */
export async function rejoinNode(
  hub: ServedHub,
  name: string,
  home: Home,
  { via = hub.url, env = {}, allow = ['runs'], token, ...how }: NodeOptions & { token?: string } = {},
): Promise<Served> {
  const served = start(
    home.path,
    ['node', '--hub', wsUrl(via), ...allow.flatMap((family) => ['--allow', family]), ...(token ? ['--token-stdin'] : [])],
    env,
    token,
    how,
  )
  await untilOnline(hub, name, served)
  return served
}

export async function untilOnline(
  hub: ServedHub,
  name: string,
  served?: { child?: ChildProcess; log?: () => string },
): Promise<void> {
  await until(
    `${name} is online\n${served?.log?.() ?? ''}`,
    async () => {
      const { hosts } = await musterJson<{ hosts: { name: string; status: string }[] }>(hub.home, ['host', 'list'])
      return hosts.find((host) => host.name === name)?.status === 'online' ? true : undefined
    },
    served,
  )
}

function wsUrl(url: string): string {
  return url.replace(/^http/, 'ws')
}

interface How {
  /** A program that becomes it. */
  readonly under?: readonly string[]
  /** Another `muster` than this checkout's. */
  readonly bin?: string
}

/** Starts `muster ARGS` in a home and waits for nothing; `input` is its standard input. */
export function start(
  home: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input = '',
  { under = [], bin = checkout }: How = {},
): Served & { child: ChildProcess } {
  const [program = '', ...before] = [...under, process.execPath, bin]
  const child = spawn(program, [...before, ...args], { env: { ...process.env, ...env, MUSTER_HOME: home } })
  const written: string[] = []
  child.stdout.on('data', (chunk) => written.push(String(chunk)))
  child.stderr.on('data', (chunk) => written.push(String(chunk)))
  child.stdin.on('error', ignoreClosedPipe)
  child.stdin.end(input)
  const gone = once(child, 'close')
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  return { child, home, pid: child.pid as number, log: () => written.join(''), ended: gone, kill, [Symbol.asyncDispose]: kill }
}

/** Asks again until there is an answer; fails with `what` after the deadline, or when the process it is about has ended. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  served?: { child?: ChildProcess; log?: () => string },
  deadlineMs = 60_000,
): Promise<T> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (served?.child && served.child.exitCode !== null) throw new Error(`ended before ${what}: ${served.log?.()}`)
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what} ${served?.log?.() ?? ''}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export { type Home, makeHome }
