// A MUSTER_HOME of a test's own. Disposing it ends every process that still works in it, keepers included, and deletes it.

import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Home extends AsyncDisposable {
  readonly path: string
}

export async function makeHome(): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), 'muster-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      await endProcessesOf(path)
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

/** Ends them all: hub, node, keeper and what they started. */
export async function endProcessesOf(home: string): Promise<void> {
  for (const pid of await processesOf(home)) killIfThere(pid)
}

/** Processes whose command line, environment or open files name the home. */
async function processesOf(home: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const named = await Promise.all(
    pids.map(async (pid) => {
      const texts = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      )
      if (texts.some((text) => text.includes(home))) return [Number(pid)]
      return (await openFilesOf(pid)).some((file) => file.startsWith(home)) ? [Number(pid)] : []
    }),
  )
  return named.flat()
}

/** None for a process that is gone, or another account's. */
async function openFilesOf(pid: string): Promise<string[]> {
  const open = await readdir(`/proc/${pid}/fd`).catch(() => [])
  return Promise.all(open.map((number) => readlink(`/proc/${pid}/fd/${number}`).catch(() => '')))
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
