// `muster node daemon`: this machine's host for hubs that come by ssh. `muster node attach` starts it, detached; it outlives the ssh
// session and ends by itself once no hub is joined and nothing runs.

import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Attached, serveAttached } from '../../connectors/links.ts'
import { direct } from '../../contract/direct.ts'
import { getHostInfo } from '../../contract/host.ts'
import type { Principal } from '../../contract/implementation.ts'
import { listProcs } from '../../contract/proc.ts'
import { type Host, openHost } from '../../host/host.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { closeWithin } from '../close-within.ts'
import { openHome } from '../home.ts'
import { openLog } from '../log.ts'
import { warnOfFewDescriptors } from '../low-descriptors.ts'
import type { Action } from '../perform.ts'
import { stopRequested } from '../stop-signal.ts'
import { letHeapGrow } from '../streaming-heap.ts'
import { nodePolicy } from './policy.ts'

interface DaemonOptions {
  readonly allow?: string[]
  readonly idle?: number
}

const defaultIdleMs = 10 * 60_000
const lookEveryMs = 5_000

const itself: Principal = { kind: 'self', id: 'node', role: 'operator', scopes: new Set(['read']) }

export const serveDaemon: Action<DaemonOptions, []> = async (terminal, { allow, idle = defaultIdleMs }) => {
  letHeapGrow()
  const home = await openHome(terminal.env)
  const log = openLog(terminal.env)
  warnOfFewDescriptors(log)
  // Who can log in by ssh may run anything as this account already, so that without a word about it everything is allowed.
  const policy = nodePolicy(home.dir, allow === undefined ? { allow: [], withoutFile: 'everything' } : { allow })
  const host = await openHost({
    home: join(home.dir, 'host'),
    musterHome: home.dir,
    commands: join(home.dir, 'commands'),
    name: hostname(),
    policy,
    log,
  })
  const ending = new AbortController()
  try {
    await using attached = await serveAttached({ home: home.dir, host, version: softwareVersion, log })
    log.info({ pid: process.pid, home: home.dir }, 'this machine can be joined by ssh')
    await Promise.race([stopRequested(), host.shutDown, untilIdle(host, attached, idle, ending.signal)])
  } finally {
    ending.abort()
    await closeWithin(host)
  }
  log.info({ pid: process.pid }, 'ended')
  return { json: { stopped: true } }
}

/** Resolves once there has been nothing to do for so long. */
async function untilIdle(host: Host, attached: Attached, idleMs: number, signal: AbortSignal): Promise<void> {
  let busyAt = performance.now()
  while (!signal.aborted) {
    await delay(Math.min(idleMs, lookEveryMs), undefined, { signal }).catch(() => undefined)
    if (attached.links > 0 || (await hasWork(host))) busyAt = performance.now()
    else if (performance.now() - busyAt >= idleMs) return
  }
}

async function hasWork({ offers }: Host): Promise<boolean> {
  const host = direct(offers, itself)
  const [info, { procs }] = await Promise.all([host.call(getHostInfo, {}), host.call(listProcs, {})])
  return info.activeRuns !== 0 || procs.some(({ manager }) => manager === 'process')
}
