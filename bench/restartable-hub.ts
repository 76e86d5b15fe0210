// A hub process that is stopped and started again on one home, and how long it takes until it listens.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectHub, type HubClient } from '../src/sdk/client.ts'
import { socketPath } from '../src/wire/channels/socket-path.ts'
import type { Home } from '../test/resources/home.ts'

const bin = fileURLToPath(new URL('../bin/muster.js', import.meta.url))
const startDeadlineMs = 120_000
const lookEveryMs = 2

export interface RestartableHub extends AsyncDisposable {
  readonly storeFile: string
  /** Asks over the hub's own socket. */
  readonly client: HubClient
  /** The milliseconds until it listens. */
  start(): Promise<number>
  stop(): Promise<void>
}

/** A hub that has been started once. */
export async function restartableHub(home: Home): Promise<RestartableHub> {
  const dir = join(home.path, 'hub')
  const client = connectHub({ socketPath: socketPath(dir, 'hub.sock') })
  let serving: { child: ChildProcess; ended: Promise<unknown> } | undefined

  async function start(): Promise<number> {
    const startedAt = performance.now()
    const args = [bin, 'hub', 'serve', '--bind', '127.0.0.1:0', '--no-open']
    const env = { ...process.env, MUSTER_HOME: home.path }
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' })
    serving = { child, ended: once(child, 'close') }
    // Its record is written once it listens.
    while (!existsSync(join(dir, 'hub.json'))) {
      if (child.exitCode !== null) throw new Error(`the hub of ${home.path} ended with ${child.exitCode} before it listened`)
      if (performance.now() - startedAt > startDeadlineMs) throw new Error(`the hub of ${home.path} did not listen in time`)
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    }
    return performance.now() - startedAt
  }

  async function stop(): Promise<void> {
    serving?.child.kill('SIGTERM')
    await serving?.ended
    serving = undefined
  }

  await start()
  return {
    storeFile: join(dir, 'hub.db'),
    client,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      client.close()
      await stop()
    },
  }
}
