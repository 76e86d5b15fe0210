// Thousands of nodes that are only there, held by one other process: for what each costs a hub, and for how they come back.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../test/resources/muster.ts'
import type { LinkChange } from './programs/idle-nodes.ts'
import { startProgram } from './programs/start.ts'

export interface IdleFleet extends AsyncDisposable {
  readonly online: number
  /** Every change since `watch`: when, by `performance.now`, and how many were online after it. */
  readonly changes: readonly FleetChange[]
  /** Forgets the changes so far. */
  watch(): void
  /** Resolves once so many are online. */
  reached(online: number, deadlineMs: number): Promise<void>
}

export interface FleetChange {
  readonly atMs: number
  readonly online: number
  /** It came up, or could not. */
  readonly came: boolean
}

/** Starts a node for each token; resolves once all are online. */
export async function startIdleFleet(hubUrl: string, tokens: readonly string[]): Promise<IdleFleet> {
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'bench-nodes-'))
  opened.defer(() => rm(dir, { recursive: true, force: true }))
  const driver = opened.use(await startProgram('idle-nodes.ts', [hubUrl.replace(/^http/, 'ws'), dir]))
  const up = new Set<number>()
  let changes: FleetChange[] = []
  driver.process.on('message', ({ node, online }: LinkChange) => {
    if (online) up.add(node)
    else up.delete(node)
    changes.push({ atMs: performance.now(), online: up.size, came: online })
  })
  driver.process.send(tokens)

  async function reached(online: number, deadlineMs: number): Promise<void> {
    await until(
      `${online} nodes are online (${up.size} are)`,
      async () => (up.size >= online ? true : undefined),
      undefined,
      deadlineMs,
    )
  }

  await reached(tokens.length, 60_000 + tokens.length * 50)
  const closing = opened.move()
  return {
    get online() {
      return up.size
    },
    get changes() {
      return changes
    },
    watch() {
      changes = []
    },
    reached,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
