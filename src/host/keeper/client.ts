// The host's side of the keeper: finds the one that lives, starts one when it is needed, and hears of each process's end.
// A connection that breaks says nothing about the processes: whoever waits looks at the disk and at the pid (processes.ts).

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError, failure } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'
import { dialUnix } from '../../wire/channels/unix.ts'
import { createPeer } from '../../wire/peer.ts'
import type { HostHome } from '../home.ts'
import type { ExitRecord } from './exit-record.ts'
import { keeperSocket } from './place.ts'
import { followProcesses, keeperLimits } from './protocol.ts'
import { startKeeper } from './start.ts'

export interface KeeperConnection {
  readonly caller: Caller
  /** Whether the keeper at the other end holds this process, as far as this connection was told. */
  holds(id: string): boolean
  /** Notes that the keeper has answered a start by holding the process. */
  expect(id: string): void
  /** The record of a held process's end; undefined if the connection closed first. */
  ended(id: string): Promise<ExitRecord | undefined>
}

export interface KeeperClient {
  /** The keeper that lives, if one does; starts none. */
  find(): Promise<KeeperConnection | undefined>
  /** The keeper, started if there is none. Throws `proc.keeper`. */
  need(): Promise<KeeperConnection>
  close(): void
}

const startTimeoutMs = 10_000
const dialAgainMs = 10
const connectAttempts = 20
const keeper: Principal = { kind: 'self', id: 'keeper', role: 'keeper', scopes: new Set() }

export function openKeeper(home: HostHome, log: Logger): KeeperClient {
  const path = keeperSocket(home.dir)
  let current: Promise<KeeperConnection | undefined> | undefined
  let needed: Promise<KeeperConnection> | undefined
  let end: (() => void) | undefined
  let closed = false

  function find(): Promise<KeeperConnection | undefined> {
    current ??= connect().then(
      (connection) => {
        if (!connection) current = undefined
        return connection
      },
      (error: unknown) => {
        current = undefined
        throw error
      },
    )
    return current
  }

  /** A keeper that is just being killed still takes a connection and breaks it: the next try tells the two apart. */
  async function connect(): Promise<KeeperConnection | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await connectOnce()
      } catch (error) {
        if (closed || attempt === connectAttempts) throw error
        await delay(dialAgainMs)
      }
    }
  }

  async function connectOnce(): Promise<KeeperConnection | undefined> {
    if (closed) throw failure('host.stopped')
    const channel = await dialUnix(path, keeperLimits).catch((error: unknown) => {
      if (isNobodyThere(error)) return undefined
      throw asMusterError(error)
    })
    if (!channel) return undefined
    if (closed) {
      channel.close(failure('host.stopped'))
      throw failure('host.stopped')
    }
    const peer = createPeer(channel, { offers: new Map(), principal: keeper, limits: keeperLimits, name: 'keeper' })
    void peer.closed.then((reason) => {
      if (!closed) log.warn({ reason: reason.message }, 'the connection to the keeper closed')
    })
    end = () => peer.close(failure('host.stopped'))
    return followEnds(peer, () => {
      current = undefined
    })
  }

  async function start(): Promise<KeeperConnection> {
    const until = performance.now() + startTimeoutMs
    let ended: string | undefined
    let starting = false
    let problem = `it does not answer at ${path}`
    while (performance.now() < until) {
      const connection = await find()
      if (connection) return connection
      if (!starting) {
        // One that ended at once may have found the socket of another that was just ending: the next try starts it again.
        starting = true
        void startKeeper(home).then((how) => {
          starting = false
          ended = how
        })
      }
      if (ended !== undefined) problem = ended
      await delay(dialAgainMs)
    }
    throw failure('proc.keeper', { problem })
  }

  return {
    find,
    need() {
      needed ??= start().finally(() => {
        needed = undefined
      })
      return needed
    },
    close() {
      closed = true
      end?.()
    },
  }
}

/** Resolves once the keeper has told all that it holds. `onClosed` comes before anybody who waits here is told. */
async function followEnds(caller: Caller, onClosed: () => void): Promise<KeeperConnection> {
  const waiting = new Map<string, PromiseWithResolvers<ExitRecord | undefined>>()
  const expect = (id: string) => {
    const known = waiting.get(id) ?? Promise.withResolvers<ExitRecord | undefined>()
    waiting.set(id, known)
    return known
  }
  const current = Promise.withResolvers<void>()
  let open = true

  async function follow(): Promise<void> {
    for await (const item of caller.items(followProcesses, {})) {
      if (item.type === 'held') expect(item.id)
      else if (item.type === 'ended') expect(item.id).resolve(item.record)
      else current.resolve()
    }
  }
  follow()
    .catch((error: unknown) => current.reject(error))
    .finally(() => {
      open = false
      onClosed()
      current.reject(failure('wire.closed', { reason: 'the keeper ended' }))
      for (const { resolve } of waiting.values()) resolve(undefined)
    })
  await current.promise

  return {
    caller,
    holds: (id) => waiting.has(id),
    expect(id) {
      const { resolve } = expect(id)
      if (!open) resolve(undefined)
    },
    async ended(id) {
      const record = await waiting.get(id)?.promise
      waiting.delete(id)
      return record
    },
  }
}

function isNobodyThere(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const { code } = cause as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}
