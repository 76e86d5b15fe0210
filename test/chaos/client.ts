// Asking a real hub over HTTP: starting a CLI for each question would cost more than what is tested.

import { findRun } from '../../src/contract/fleet.ts'
import type { Run } from '../../src/contract/run.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { musterJson, type ServedHub, until } from '../resources/muster.ts'

/** A client with a token of its own, as from another machine; `via` is another address for the hub, e.g. a proxy's. */
export async function clientOf({ home, url }: ServedHub, via: string = url): Promise<HubClient & Disposable> {
  const { token } = await musterJson<{ token: string }>(home, ['token', 'create', 'test', '--role', 'operator'])
  const client = connectHub({ url: via, token })
  return { ...client, [Symbol.dispose]: client.close }
}

/** The run once its hub knows that it has ended. */
export function endOf(client: HubClient, run: string, deadlineMs = 120_000): Promise<Run> {
  return until(
    `${run} ends`,
    async () => {
      const now = await client.hub.call(findRun, { run })
      return now.endedAt === null ? undefined : now
    },
    undefined,
    deadlineMs,
  )
}
