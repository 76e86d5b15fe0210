// A command that waits until the test tells it how to end, as a run or as a proc of a host. It ends at no other time and with no
// other code, so that what is reported of it is known to be right or wrong.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { submitRun } from '../../src/contract/fleet.ts'
import { applyProc, getProc } from '../../src/contract/proc.ts'
import { type Exit, getRun, isTerminal, writeStdin } from '../../src/contract/run.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { until } from '../resources/muster.ts'
import { nodeName } from './fleet.ts'

/** How it is started and where it is told how to end: a run by its pipe or by its standard input, a proc by its pipe. */
export type Kind = 'run' | 'stdin' | 'proc'

/** What is told of it, of a run and of a proc alike. */
export interface Report {
  readonly pid: number | null
  readonly isLive: boolean
  readonly state: string
  readonly exit: Exit | null
  readonly error: string | null
}

export interface HeldCommand {
  readonly kind: Kind
  readonly name: string
  /** The run's id, or the proc's name. */
  readonly id: string
  /** The directory of its process, below the host's home. */
  readonly dir: string
  readonly code: number
  report(): Promise<Report>
  /** Lets it end with its code. A run that waits at its standard input can be told only through its host. */
  release(): Promise<void>
}

export interface HeldSpec {
  readonly kind: Kind
  readonly name: string
  readonly code: number
  /** A named pipe, which is there. */
  readonly pipe: string
  /** Where it appends its name as it starts. */
  readonly starts: string
  /** In its environment: `NAME=VALUE`. */
  readonly mark: string
}

/** Asks the host to start it; resolves when that is accepted. */
export async function startHeld(client: HubClient, { kind, name, code, pipe, starts, mark }: HeldSpec): Promise<HeldCommand> {
  const host = client.host(nodeName)
  const source = kind === 'stdin' ? '' : ` < ${pipe}`
  // SIGTERM is ignored: what is asked to stop is still there when its node is killed.
  const [variable = '', value = ''] = mark.split('=')
  const env = { [variable]: value }
  const argv = ['/bin/sh', '-c', `trap '' TERM; echo ${name} >> ${starts}; read code${source}; exit "$code"`]
  if (kind === 'proc') {
    // It never calls back, which it may take longer for than a test lasts.
    const { generation } = await host.call(applyProc, { proc: name, spec: { argv, env, readyTimeoutMs: 600_000 } })
    return {
      kind,
      name,
      code,
      id: name,
      dir: join('procs', `${name}.${generation}`),
      async report() {
        const { pid, status, exit } = await host.call(getProc, { proc: name })
        return { pid, isLive: !['stopped', 'failed', 'absent'].includes(status), state: status, exit, error: null }
      },
      release: () => writeLine(pipe, code),
    }
  }
  const spec = { kind: 'command', argv, env, stdin: kind === 'stdin' ? 'open' : 'none' } as const
  const { id: run } = await client.hub.call(submitRun, { host: nodeName, spec })
  return {
    kind,
    name,
    code,
    id: run,
    dir: join('runs', run),
    async report() {
      const { pid, state, exit, error } = await host.call(getRun, { run })
      return { pid, isLive: !isTerminal(state), state, exit, error: error?.code ?? null }
    },
    async release() {
      if (kind === 'run') return writeLine(pipe, code)
      await host.upload(writeStdin, { run, end: false }, one(`${code}\n`))
    },
  }
}

/** A pipe takes a line only while its reader is there: a command that has just started may not have come so far. */
async function writeLine(pipe: string, code: number): Promise<void> {
  await until(`somebody reads ${pipe}`, async () => {
    const opened = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENXIO') return undefined
      throw error
    })
    if (!opened) return undefined
    await using file = opened
    await file.write(`${code}\n`)
    return true
  })
}

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
