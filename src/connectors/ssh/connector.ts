// The hub's side of an ssh host: one ssh process whose far end is `muster node attach`, which joins the node there.
// How it breaks: any time, and often before it was ever made (an unknown host key, no key, no muster). Then the host is offline with
// ssh's reason in plain words, its runs go on there, readers see the mirror, and the hub dials again, less often where a person must act.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { failure, hasCode, type MusterError } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'
import { dialHandshake } from '../../wire/handshake.ts'
import { fingerprintOf } from '../../wire/identity.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'
import { keepConnected } from '../../wire/reconnect.ts'
import { knownFarSide } from '../known-far-side.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector, ConnectorContext } from '../port.ts'
import type { SshConfig } from './config.ts'
import { controlPathIn, endMaster } from './master.ts'
import { openSession, type SshSession } from './session.ts'

const handshakeTimeoutMs = 10_000

/** Between two tries that a person must act for: a server that counts refusals locks the hub out if they come fast. */
const personMs = 30_000

/** The node there may ask its hub for nothing. */
const node: Principal = { kind: 'node', id: 'ssh', role: 'node', scopes: new Set() }

interface Link {
  readonly peer: Peer
  /** Once its ssh process is gone too. */
  readonly closed: Promise<MusterError>
  close(reason: MusterError): void
}

export function connectSsh(config: SshConfig, context: ConnectorContext): Connector {
  const { lastSeenAt, log } = context
  const cell = linkStateCell(
    lastSeenAt === null
      ? { status: 'never_seen', since: null }
      : { status: 'offline', since: lastSeenAt, reason: 'the hub is connecting' },
  )
  const leaving = new AbortController()
  let last: MusterError | undefined

  const kept = keepConnected<Link>({
    async connect(signal) {
      if (last && needsPerson(last)) await delay(personMs, undefined, { signal, ref: false })
      return connect(config, context, signal)
    },
    onConnected({ peer }) {
      last = undefined
      log.info({ host: context.name, destination: config.destination }, 'joined by ssh')
      cell.set({ status: 'online', since: new Date().toISOString(), caller: peer })
    },
    onDisconnected(reason) {
      if (last?.message !== reason.message)
        log.warn({ host: context.name, error: reason.toValue() }, 'not connected by ssh; trying again')
      last = reason
      away(inWords(reason))
    },
    signal: leaving.signal,
  })

  /** Since when it is away stays what it was: a try that failed has seen nobody. */
  function away(reason: string): void {
    const { state } = cell
    if (state.status === 'online') cell.set(offline(reason))
    else cell.set({ ...state, reason })
  }

  async function close(reason: MusterError): Promise<void> {
    leaving.abort(reason)
    await kept
    if (cell.state.status === 'online') cell.set(offline(reason.message))
  }

  return {
    traits: { mirrored: true, deferred: false, interactive: true },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: () => close(failure('wire.closed', { reason: 'the hub is closing' })),
  }
}

async function connect(config: SshConfig, { dir, identity, version }: ConnectorContext, signal: AbortSignal): Promise<Link> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  // The key of its node: ssh knows machines, and not which Muster home there answers.
  const known = knownFarSide(join(dir, 'machine'))
  const expected = await known.read()
  const controlPath = controlPathIn(dir)
  await endMaster(config, controlPath)
  const session = await openSession(config, controlPath, signal)
  try {
    const { peerKey, limits } = await dialHandshake(session.channel, {
      identity,
      role: 'hub',
      software: version,
      timeoutMs: handshakeTimeoutMs,
      expectKey: (key) => expectMachine(config, expected, fingerprintOf(key)),
    })
    if (expected === undefined) await known.keep(fingerprintOf(peerKey))
    // Nothing is offered: a node can ask its hub for nothing.
    const peer = createPeer(session.channel, { offers: new Map(), principal: node, limits, name: config.destination })
    return { peer, closed: closedWith(peer, session), close: (reason) => peer.close(reason) }
  } catch (error) {
    await session.close()
    throw error
  }
}

function expectMachine({ destination }: SshConfig, expected: string | undefined, found: string): void {
  if (expected !== undefined && expected !== found) throw failure('ssh.other_machine', { destination })
}

/** When the connection ends, ssh is ended too, and what it said of that is the better reason. */
async function closedWith(peer: Peer, session: SshSession): Promise<MusterError> {
  const reason = await peer.closed
  await session.close()
  return (await session.ended) ?? reason
}

function needsPerson(error: MusterError): boolean {
  return (['ssh.refused', 'ssh.host_key_unknown', 'ssh.host_key_changed', 'ssh.other_machine'] as const).some((code) =>
    hasCode(error, code),
  )
}

/** What an ssh error says to do is worth saying where there is only a reason. Without the full stop: sentences are made of it. */
function inWords(error: MusterError): string {
  const words = error.code.startsWith('ssh.') ? `${error.message} ${error.hint}` : error.message
  return words.replace(/\.$/, '')
}
