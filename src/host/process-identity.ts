// Who a process is: its pid and when it started. Used to know a process again after a restart of node or keeper.
// A pid alone is not an identity: on a busy machine pids are used again within a day.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { uptime } from 'node:os'
import { promisify } from 'node:util'
import { z } from 'zod'

/** `startTime` means something only compared with another one of this machine: text that differs when the process does. */
export const ProcessIdentity = z.object({ pid: z.int().positive(), startTime: z.string() })
export type ProcessIdentity = z.output<typeof ProcessIdentity>

const run = promisify(execFile)

/** The identity of a process that is alive now; undefined when there is none. A zombie is not alive: it has ended. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(noSuchProcess)
    return stat === undefined ? undefined : fromStat(pid, stat)
  }
  const listed = await run('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
    env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
  }).catch(notListed)
  return listed === undefined ? undefined : fromListing(pid, listed.stdout)
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTime === identity.startTime
}

/** How many ms ago it started, by a clock that nobody sets; undefined where the system does not say. */
export function ageOf({ startTime }: ProcessIdentity): number | undefined {
  const ticks = Number(startTime.slice(startTime.lastIndexOf(':') + 1))
  if (process.platform !== 'linux' || !startTime.startsWith(bootId()) || !Number.isInteger(ticks)) return undefined
  const ageMs = (uptime() - ticks / ticksPerSecond) * 1000
  // A container may show an uptime of its own beside start times of the machine's.
  return ageMs >= 0 ? ageMs : undefined
}

/** The kernel shows times in these to every program, whatever it counts in itself. */
const ticksPerSecond = 100

/**
 * The identity of a child that was spawned in this very turn of the event loop. It cannot have been reaped yet, so its entry is
 * still there even if it has ended. Undefined where only `ps` could tell: ask `identify` there.
 */
export function identifyChild(pid: number): ProcessIdentity | undefined {
  if (process.platform !== 'linux') return undefined
  return { pid, startTime: startTimeOf(readFileSync(`/proc/${pid}/stat`, 'utf8')) }
}

/**
 * The session leader whose environment holds all of these `NAME=VALUE`s: how a child is found whose pid was never written down.
 * Only Linux shows environments.
 */
export async function findByEnvironment(mark: readonly string[]): Promise<ProcessIdentity | undefined> {
  if (process.platform !== 'linux') return undefined
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    // Other accounts' processes cannot be read; they are not ours.
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    const variables = environment.split('\0')
    if (!mark.every((variable) => variables.includes(variable))) continue
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(noSuchProcess)
    if (stat !== undefined && fieldsOf(stat)[field.session] === entry) return fromStat(pid, stat)
  }
  return undefined
}

/**
 * Whether a process group has a member that has not ended. The system still counts zombies, which an orphan stays until the first
 * process of the machine reaps it: seconds in some containers, never in others. Where that cannot be told, the group lives.
 */
export async function groupLives(leader: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(noSuchProcess)
    if (stat === undefined) continue
    const fields = fieldsOf(stat)
    if (fields[field.group] === String(leader) && fields[field.state] !== 'Z' && fields[field.state] !== 'X') return true
  }
  return false
}

/** Positions in /proc/PID/stat after the program's name, which may hold spaces and brackets (proc_pid_stat(5), minus 3). */
const field = { state: 0, group: 2, session: 3, startTime: 19 } as const

function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function startTimeOf(stat: string): string {
  return `${bootId()}:${fieldsOf(stat)[field.startTime]}`
}

function fromStat(pid: number, stat: string): ProcessIdentity | undefined {
  const state = fieldsOf(stat)[field.state]
  return state === 'Z' || state === 'X' ? undefined : { pid, startTime: startTimeOf(stat) }
}

function fromListing(pid: number, listing: string): ProcessIdentity | undefined {
  const match = /^\s*(\S+)\s+(.+?)\s*$/.exec(listing)
  return !match || match[1]?.startsWith('Z') ? undefined : { pid, startTime: match[2] as string }
}

let boot: string | undefined

/** Start times count from the boot, so that they could repeat after the next one. */
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

function noSuchProcess(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
  throw error
}

function notListed(error: { code?: unknown }): undefined {
  if (error.code === 1) return undefined
  throw error
}
