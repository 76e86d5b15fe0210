// `muster hub stop`: asks the hub of this home to end and waits until it has. Runs go on: their hosts carry them.

import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../../contract/errors.ts'
import { isAlive } from '../../host/process-identity.ts'
import { closeDeadlineMs } from '../close-within.ts'
import { homeAt } from '../home.ts'
import { findHub, removeHubRecord } from '../hub-record.ts'
import type { Action } from '../perform.ts'

/** A little longer than the hub gives itself. */
const deadlineMs = closeDeadlineMs + 5_000
const pollMs = 25

export const stop: Action<unknown, []> = async (terminal) => {
  const home = homeAt(terminal.env)
  const hub = await findHub(home)
  if (!hub) return { json: { stopped: false }, text: `No hub is running on ${home.dir}.` }
  process.kill(hub.pid, 'SIGTERM')
  const deadline = performance.now() + deadlineMs
  while (await isAlive(hub)) {
    if (performance.now() > deadline) throw failure('hub.stuck', { pid: hub.pid, doing: 'stop', ms: deadlineMs })
    await sleep(pollMs)
  }
  await removeHubRecord(home)
  return { json: { stopped: true, pid: hub.pid }, text: `The hub (pid ${hub.pid}) has stopped; runs go on.` }
}
