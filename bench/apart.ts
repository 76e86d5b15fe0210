// Two sides of a conversation on two cores: the one that asks on the first, those that answer on the second, as on two machines.
// Left to the scheduler, a pair of processes sits now on one core and now on two, and one pair's delay jumps by a factor of three.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { findProgram } from './peers/installed.ts'

const run = promisify(execFile)

/** Keeps this process on one core and the answering ones on another, until disposed. Undefined where that cannot be had. */
export async function keepApart(answering: readonly number[]): Promise<AsyncDisposable | undefined> {
  const taskset = await findProgram('taskset')
  const allowed = await allowedCores()
  const [asking, answers] = allowed.split(',').flatMap(everyCore)
  if (!taskset || asking === undefined || answers === undefined) return undefined
  // `--all-tasks`: every thread of a process.
  const bind = (pid: number, cores: string) => run(taskset, ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)])
  await bind(process.pid, String(asking))
  for (const pid of answering) await bind(pid, String(answers))
  return {
    async [Symbol.asyncDispose]() {
      for (const pid of [process.pid, ...answering]) await bind(pid, allowed)
    },
  }
}

/** As the kernel lists them, e.g. `0-3,6` (proc_pid_status(5)); empty where there is no such file. */
async function allowedCores(): Promise<string> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? ''
}

/** `2` or `0-3`. */
function everyCore(range: string): number[] {
  if (!range) return []
  const [first = 0, last = first] = range.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
