// A MUSTER_HOME of a test's own. Disposing it ends every process that still works in it, keepers included, and deletes it.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
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
      for (const pid of await processesOf(path)) killIfThere(pid)
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

/** Processes whose command line or environment names the home: hub, node, keeper and what they started. */
async function processesOf(home: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const named = await Promise.all(
    pids.map(async (pid) => {
      const texts = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      )
      return texts.some((text) => text.includes(home)) ? [Number(pid)] : []
    }),
  )
  return named.flat()
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
