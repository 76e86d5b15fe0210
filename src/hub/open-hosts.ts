// The hosts of the registry as open connectors in the fleet, each followed: opened, changed in place, opened anew, closed.
// Used by the membership alone, which does one of these at a time.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { Connector, LinkState } from '../connectors/port.ts'
import { connectorLabel, openConnector, placeOf } from '../connectors/table.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { healthOf } from '../store/health.ts'
import type { Identity } from '../wire/identity.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import { type Followed, followHost } from './follow.ts'
import { tellLink } from './link-events.ts'
import type { HostRecord } from './registry.ts'
import type { Secrets } from './secrets.ts'

export interface OpenHostsOf extends Followed {
  readonly fleet: Fleet
  readonly secrets: Secrets
  /** Each connector's own directory is one in this. */
  readonly connectorsDir: string
  readonly identity: Identity
  readonly version: string
  readonly log: Logger
}

export type Applied = 'opened' | 'changed' | 'reopened' | 'same'

export interface OpenHosts extends AsyncDisposable {
  /** Makes the fleet agree with this record. Throws what the connector has against its configuration. */
  apply(record: HostRecord): Promise<Applied>
  /** Closes a host's link for this reason and makes it anew, from the same record. */
  renew(host: FleetHost, reason: MusterError): Promise<void>
  /** The record that a host was last opened or changed by. */
  recordOf(host: FleetHost): HostRecord | undefined
  /** Out of the fleet, with its link closed for this reason. */
  close(host: FleetHost, reason: MusterError): Promise<void>
  dirOf(id: string): string
}

export function openHosts(of: OpenHostsOf): OpenHosts {
  const { fleet, store, secrets } = of
  const records = new Map<string, HostRecord>()
  const following = new Map<string, AsyncDisposable>()
  /** Hosts whose record was changed into one that no link can be made from. */
  const linkless = new Set<string>()
  /** The places that only one host may have, each with its host's id. */
  const places = new Map<string, string>()
  const dirOf = (id: string) => join(of.connectorsDir, id)

  for (const host of fleet.all()) follow(host)

  function follow(host: FleetHost): void {
    const stack = new AsyncDisposableStack()
    // Told of until nothing of the link is followed any more, its end included.
    stack.use(tellLink(host, of.events))
    stack.use(followHost(host, of))
    following.set(host.id, stack)
  }

  async function apply(record: HostRecord): Promise<Applied> {
    const host = fleet.byId(record.id)
    const former = records.get(record.id)
    const place = placeOf(record.connector)
    refuseTaken(place, record.id)
    if (!host || !former) {
      await open(record)
      return 'opened'
    }
    if (!linkless.has(record.id) && isDeepStrictEqual(former, record)) return 'same'
    leavePlace(record.id)
    if (place !== null) places.set(place, record.id)
    records.set(record.id, record)
    fleet.change(host, { name: record.name, labels: record.labels, trust: record.trust.allow })
    if (!linkless.has(record.id) && isDeepStrictEqual(former.connector, record.connector)) return 'changed'
    await reopen(host, record, failure('wire.closed', { reason: "the host's record was changed" }))
    return 'reopened'
  }

  function refuseTaken(place: string | null, id: string): void {
    const owner = place === null ? undefined : places.get(place)
    if (place === null || owner === undefined || owner === id) return
    throw failure('host.place_taken', { place, host: records.get(owner)?.name ?? owner })
  }

  function leavePlace(id: string): void {
    const former = records.get(id)
    const place = former && placeOf(former.connector)
    if (place != null && places.get(place) === id) places.delete(place)
  }

  async function open(record: HostRecord): Promise<void> {
    const { id, name, labels, trust } = record
    const host: FleetHost = { id, name, labels, trust: trust.allow, ...(await linkOf(record)) }
    records.set(id, record)
    const place = placeOf(record.connector)
    if (place !== null) places.set(place, id)
    fleet.add(host)
    follow(host)
  }

  /** The old link first: two of one host would share its directory. */
  async function reopen(host: FleetHost, record: HostRecord, reason: MusterError): Promise<void> {
    await host.connector.close(reason)
    await unfollow(host.id)
    linkless.add(host.id)
    try {
      fleet.change(host, await linkOf(record))
    } catch (error) {
      fleet.change(host, { connector: noLink(host.connector, asMusterError(error)) })
      throw error
    }
    linkless.delete(host.id)
    follow(host)
  }

  async function renew(host: FleetHost, reason: MusterError): Promise<void> {
    const record = records.get(host.id)
    if (record) await reopen(host, record, reason)
  }

  async function linkOf(record: HostRecord): Promise<{ kind: string; label: string; connector: Connector }> {
    const { id, connector: config } = record
    const lastSeenAt = (await healthOf(store, id))?.lastSeenAt ?? null
    const connector = openConnector(config, {
      host: id,
      get name() {
        return fleet.byId(id)?.name ?? record.name
      },
      lastSeenAt,
      identity: of.identity,
      version: of.version,
      dir: dirOf(id),
      secret: () => secrets.read(id),
      log: of.log,
    })
    return { kind: config.kind, label: connectorLabel(config, id), connector }
  }

  async function unfollow(id: string): Promise<void> {
    await following.get(id)?.[Symbol.asyncDispose]()
    following.delete(id)
  }

  async function close(host: FleetHost, reason: MusterError): Promise<void> {
    leavePlace(host.id)
    records.delete(host.id)
    linkless.delete(host.id)
    fleet.remove(host.id)
    await host.connector.close(reason)
    await unfollow(host.id)
  }

  return {
    apply,
    renew,
    recordOf: (host) => records.get(host.id),
    close,
    dirOf,
    async [Symbol.asyncDispose]() {
      const closing = failure('wire.closed', { reason: 'the hub is closing' })
      await Promise.all(fleet.all().map(({ connector }) => connector.close(closing)))
      await Promise.all([...following.values()].map((one) => one[Symbol.asyncDispose]()))
    },
  }
}

/** In the place of a link that cannot be made from its record: says why, since when the former one has been away. */
function noLink({ traits, state: { since } }: Connector, { message }: MusterError): Connector {
  const reason = message.replace(/\.$/, '')
  const state: LinkState = since === null ? { status: 'never_seen', since, reason } : { status: 'offline', since, reason }
  const close = async () => undefined
  return { traits, state, onChange: () => () => undefined, close, [Symbol.asyncDispose]: close }
}
