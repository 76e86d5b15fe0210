// `system.info` and `process.list`: what a machine says of itself and of what goes on there.

import { readdir, readFile } from 'node:fs/promises'
import { arch, availableParallelism, freemem, hostname, loadavg, platform, release, totalmem, uptime, userInfo } from 'node:os'
import { z } from 'zod'
import { builtIn } from './builtin.ts'
import type { HostCommand } from './command.ts'

const mostProcesses = 1_000
const mostCommandLine = 400
const readAtOnce = 64

const Info = z.strictObject({
  hostname: z.string(),
  platform: z.string(),
  release: z.string(),
  arch: z.string(),
  account: z.string().meta({ description: 'Under which the host runs.' }),
  cores: z.int(),
  memoryBytes: z.int(),
  freeMemoryBytes: z.int(),
  load: z.array(z.number()).meta({ description: 'Of the last 1, 5 and 15 minutes.' }),
  uptimeSeconds: z.number(),
})

const Process = z.strictObject({
  pid: z.int(),
  parent: z.int(),
  uid: z.int(),
  name: z.string(),
  commandLine: z.string().meta({ description: `At most ${mostCommandLine} characters of it.` }),
  memoryBytes: z.int().meta({ description: 'Resident.' }),
})
type Process = z.output<typeof Process>

export function systemCommands(): HostCommand[] {
  const info = builtIn({
    name: 'system.info',
    description: 'The machine: its name, system, account, cores, memory, load and uptime.',
    params: z.strictObject({}),
    result: Info,
    run: async () => ({ ...whatStays(), ...whatPasses() }),
  })
  // Where the system has no /proc, nobody is told of it.
  return platform() === 'linux' ? [info, processList()] : [info]
}

function processList(): HostCommand {
  return builtIn({
    name: 'process.list',
    description: `The machine's processes by their number, ${mostProcesses} at a time.`,
    params: z.strictObject({ after: z.int().nonnegative().default(0) }),
    result: z.strictObject({
      processes: z.array(Process),
      more: z.boolean().meta({ description: 'Ask again with `after`, the last number.' }),
    }),
    async run({ after }) {
      const pids = (await readdir('/proc'))
        .map(Number)
        .filter((pid) => Number.isInteger(pid) && pid > after)
        .sort((a, b) => a - b)
      const processes: Process[] = []
      for (let from = 0; from < Math.min(pids.length, mostProcesses); from += readAtOnce) {
        const some = pids.slice(from, Math.min(from + readAtOnce, mostProcesses))
        processes.push(...(await Promise.all(some.map(readProcess))).flat())
      }
      return { processes, more: pids.length > mostProcesses }
    },
  })
}

/** How old what is told of load and free memory may be: who asks all the time does not have the system asked each time. */
const freshMs = 100

let passes: Pick<z.output<typeof Info>, 'freeMemoryBytes' | 'load' | 'uptimeSeconds'> | undefined
let passesSince = -Infinity

function whatPasses() {
  const now = performance.now()
  if (!passes || now - passesSince > freshMs) {
    passes = { freeMemoryBytes: freemem(), load: loadavg(), uptimeSeconds: uptime() }
    passesSince = now
  }
  return passes
}

let stays:
  | Pick<z.output<typeof Info>, 'hostname' | 'platform' | 'release' | 'arch' | 'account' | 'cores' | 'memoryBytes'>
  | undefined

/** Asked of the system once. */
function whatStays() {
  stays ??= {
    hostname: hostname(),
    platform: platform(),
    release: release(),
    arch: arch(),
    account: accountName(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  }
  return stays
}

/** An account that no list names has its number. */
function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? '')
  }
}

/** None where it has ended meanwhile. */
async function readProcess(pid: number): Promise<Process[]> {
  try {
    const [status, line] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')])
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
    return [
      {
        pid,
        parent: Number.parseInt(field('PPid'), 10) || 0,
        uid: Number.parseInt(field('Uid'), 10) || 0,
        name: field('Name'),
        commandLine: line.replace(/\0+$/, '').replaceAll('\0', ' ').slice(0, mostCommandLine),
        memoryBytes: 1024 * (Number.parseInt(field('VmRSS'), 10) || 0),
      },
    ]
  } catch {
    return []
  }
}
