// The hub's side of a host that is another hub's own machine, asked over that hub's HTTP API with a token.
// How it breaks: any time, and nothing tells when nobody asks. So it is asked how it is, again and again, and at once after a call
// that failed; the host is offline until it answers. Calls are never repeated here; reads go on after a break, for as long as their
// readers stay.

import { join } from 'node:path'
import type { Caller, CallOptions } from '../../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../../contract/errors.ts'
import { getHubInfo } from '../../contract/fleet.ts'
import { getHostInfo } from '../../contract/host.ts'
import { localHost } from '../../contract/names.ts'
import type { Operation } from '../../contract/operation.ts'
import { connectHub } from '../../sdk/client.ts'
import type { Trust } from '../../sdk/tls.ts'
import { keepConnected } from '../../wire/reconnect.ts'
import { knownFarSide } from '../known-far-side.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector, ConnectorContext } from '../port.ts'
import { readTrust } from '../trust.ts'
import { type HttpConfig, refusePlaintext } from './config.ts'
import { explain, isOfLink, offlineReason } from './reason.ts'
import { startWatch } from './watch.ts'

const probeTimeoutMs = 5_000
const mostBetweenTriesMs = 5_000
/** A busy machine, or a kept connection that has just ended. */
const mayBeWeakness = new Set(['call.deadline', 'wire.closed'])

/** Throws `link.insecure` for plain http:// beyond this machine. */
export function connectHttp(config: HttpConfig, context: ConnectorContext): Connector {
  refusePlaintext(config)
  const { host, lastSeenAt, identity, version, log } = context
  const cell = linkStateCell(
    lastSeenAt === null
      ? { status: 'never_seen', since: null }
      : { status: 'offline', since: lastSeenAt, reason: 'it has not answered since the hub started' },
  )
  const known = knownFarSide(join(context.dir, 'hub'))
  const closing = new AbortController()
  const now: { token: string | undefined; trust: Trust } = { token: undefined, trust: { pin: config.pin } }
  let theirVersion: string | undefined
  let suspect = () => {}

  const client = connectHub(
    {
      url: config.url,
      token: () => now.token,
      trust: () => now.trust,
      via: identity.fingerprint,
    },
    { giveUpMs: Number.POSITIVE_INFINITY },
  )
  const machine = client.host(localHost)

  /** Rejects with why the host cannot be asked. */
  async function probe(signal: AbortSignal): Promise<void> {
    now.token = await context.secret()
    now.trust = await readTrust(config)
    if (now.token === undefined) throw failure('auth.required')
    const options = { timeoutMs: probeTimeoutMs, signal }
    const [hub, info] = await Promise.all([client.hub.call(getHubInfo, {}, options), machine.call(getHostInfo, {}, options)])
    if (hub.id === identity.fingerprint) throw failure('hub.loop', { hub: hub.id })
    const expected = await known.read()
    if (expected === undefined) await known.keep(hub.id)
    // No proof: whoever has the address and a certificate for it can say any id.
    else if (expected !== hub.id) throw failure('host.other_hub', { host: context.name, expected, actual: hub.id })
    theirVersion = info.version
  }

  async function connect(signal: AbortSignal) {
    await probe(signal)
    const watch = startWatch({ probe, isAway: (error) => !mayBeWeakness.has(error.code) })
    suspect = watch.lookNow
    return watch
  }

  function goOffline(reason: string): void {
    // What is in flight would wait for an answer that may never come.
    client.close()
    const { state } = cell
    if (state.status === 'online') return cell.set(offline(reason))
    // Since when it is away stays, whatever is the matter now.
    if (state.reason !== reason) cell.set({ ...state, reason })
  }

  const caller = guarded(machine, closing.signal, (operation, error) => {
    if (isOfLink(error)) suspect()
    return explain(error, { host: context.name, operation: operation.name, theirs: theirVersion, ours: version })
  })

  const kept = keepConnected({
    connect,
    onConnected: () => {
      log.info({ host, url: config.url, version: theirVersion }, 'the other hub answers')
      cell.set({ status: 'online', since: new Date().toISOString(), caller })
    },
    onDisconnected: (error) => {
      log[cell.state.status === 'online' ? 'warn' : 'debug'](
        { host, url: config.url, error: error.toValue() },
        'the other hub cannot be asked',
      )
      goOffline(offlineReason(error, context.name))
    },
    maxMs: mostBetweenTriesMs,
    signal: closing.signal,
  })

  async function close(reason: MusterError): Promise<void> {
    if (!closing.signal.aborted) {
      closing.abort(reason)
      goOffline(offlineReason(reason, context.name))
    }
    await kept
  }

  return {
    traits: { mirrored: false, deferred: false, interactive: true },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: () => close(failure('wire.closed', { reason: 'the hub is closing' })),
  }
}

/** The same caller, whose errors are explained, and whose work ends with the connector. */
function guarded(to: Caller, closing: AbortSignal, explained: (operation: Operation, error: MusterError) => MusterError): Caller {
  const within = (options: CallOptions = {}): CallOptions => ({
    ...options,
    signal: options.signal ? AbortSignal.any([options.signal, closing]) : closing,
  })
  const told = (operation: Operation, error: unknown) =>
    closing.aborted ? closing.reason : explained(operation, asMusterError(error))
  const once = async <T>(operation: Operation, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw told(operation, error)
    }
  }
  async function* each<T>(operation: Operation, values: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* values
    } catch (error) {
      throw told(operation, error)
    }
  }
  return {
    call: (operation, input, options) => once(operation, to.call(operation, input, within(options))),
    upload: (operation, input, body, options) => once(operation, to.upload(operation, input, body, within(options))),
    items: (operation, input, options) => each(operation, to.items(operation, input, within(options))),
    bytes: (operation, input, options) => each(operation, to.bytes(operation, input, within(options))),
  }
}
