// The keeper's process: one for a host's home, started detached when it is needed. It holds processes so that they, their exit
// and their standard input outlive the node. It ends by itself once it holds nothing and nobody is connected.
// Imports stay few: it is on the way of a host's first run.

import { setTimeout as delay } from 'node:timers/promises'
import { failure, hasCode } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'
import { lockHome } from '../../store/lock.ts'
import { listenUnix } from '../../wire/channels/unix.ts'
import { createPeer } from '../../wire/peer.ts'
import { keeperLog as log } from './log.ts'
import { keeperSocket, makeKeeperDir } from './place.ts'
import { keeperLimits } from './protocol.ts'
import { keepProcesses } from './serve.ts'

/** The socket is in a directory of this account alone: who can dial it could do everything that the host can. */
const host: Principal = { kind: 'self', id: 'host', role: 'operator', scopes: new Set(['read', 'operate']) }

/** How long an idle keeper stays, so that a host that restarts finds it. */
const idleMs = 2_000
const lockTimeoutMs = 3_000
const lockAgainMs = 20

const home = process.argv[2]
if (home === undefined) throw failure('input.invalid', { what: "the keeper's command line", problem: 'it names no home' })
await run(home)

async function run(home: string): Promise<void> {
  using lock = await lockKeeper(home)
  if (!lock) return log.info('another keeper holds this home')
  let clients = 0
  let idle: NodeJS.Timeout | undefined
  const over = Promise.withResolvers<void>()
  const keeping = keepProcesses(home, log, endWhenIdle)

  function endWhenIdle(): void {
    clearTimeout(idle)
    if (clients > 0 || keeping.held > 0) return
    idle = setTimeout(() => {
      if (clients === 0 && keeping.held === 0) over.resolve()
    }, idleMs)
  }

  await using open = new AsyncDisposableStack()
  open.use(
    await listenUnix(
      keeperSocket(home),
      (channel) => {
        clients += 1
        clearTimeout(idle)
        const peer = createPeer(channel, { offers: keeping.offers, principal: host, limits: keeperLimits, name: 'host' })
        void peer.closed.then(() => {
          clients -= 1
          endWhenIdle()
        })
      },
      keeperLimits,
    ),
  )
  log.info('keeping', { pid: process.pid, home })
  endWhenIdle()
  await over.promise
  log.info('nothing left to keep', { pid: process.pid })
}

/** One that is just ending still has the lock, so that it is asked for again for a while. */
async function lockKeeper(home: string): Promise<Disposable | undefined> {
  const dir = makeKeeperDir(home)
  const until = performance.now() + lockTimeoutMs
  for (;;) {
    try {
      return lockHome(dir)
    } catch (error) {
      if (!hasCode(error, 'home.locked')) throw error
      if (performance.now() > until) return undefined
      await delay(lockAgainMs)
    }
  }
}
