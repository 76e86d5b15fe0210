// Hosts coming and going: enrolment, the door for those that dial in, and forgetting one.
// It keeps registry (what a person edits), store (credentials) and fleet (open connectors) saying the same.

import type { Logger } from 'pino'
import { acceptDialIn } from '../connectors/dial-in.ts'
import { type ConnectorConfig, connectorLabel, openConnector } from '../connectors/table.ts'
import { asMusterError, failure } from '../contract/errors.ts'
import type { enrollNode } from '../contract/host.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { healthOf } from '../store/health.ts'
import { removeNode } from '../store/nodes.ts'
import type { Channel } from '../wire/channel.ts'
import type { Identity } from '../wire/identity.ts'
import { hostOfNode, mintEnrolment } from './enrolment.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import { type Followed, followHost } from './follow.ts'
import type { HostDoor } from './host-door.ts'
import type { CorruptRecord, HostRecord, Registry } from './registry.ts'

export interface Membership extends AsyncDisposable {
  enroll(input: ParsedOf<typeof enrollNode>): Promise<OutputOf<typeof enrollNode>>
  forget(host: FleetHost): Promise<void>
  /** Resolves when the handshake is over, however it ended. */
  acceptTunnel(channel: Channel, remote: { address: string }): Promise<void>
  corrupt(): Promise<CorruptRecord[]>
}

export interface MembershipOf extends Followed {
  readonly registry: Registry
  readonly fleet: Fleet
  readonly door: HostDoor
  readonly identity: Identity
  readonly version: string
  /** This hub's own address, for the command that enrolment prints. */
  readonly hubUrl: () => string
  readonly log: Logger
}

export async function openMembership(of: MembershipOf): Promise<Membership> {
  const { registry, store, fleet, queue, door, log } = of
  const following = new Map<string, AsyncDisposable>()
  const admitting = new Map<Promise<void>, Channel>()
  let enrolling: Promise<unknown> = Promise.resolve()

  for (const host of fleet.all()) following.set(host.id, followHost(host, of))
  for (const record of (await registry.read()).records) await open(record)

  async function open(record: HostRecord): Promise<void> {
    const lastSeenAt = (await healthOf(store, record.id))?.lastSeenAt ?? null
    const { id, name, labels, connector: config } = record
    const host: FleetHost = {
      id,
      name,
      labels,
      kind: config.kind,
      label: connectorLabel(config, id),
      connector: openConnector(config, { host: id, name, lastSeenAt, identity: of.identity, version: of.version, log }),
    }
    fleet.add(host)
    following.set(host.id, followHost(host, of))
  }

  /** One at a time, so that of two with the same name the second is told. */
  function enroll(input: ParsedOf<typeof enrollNode>): ReturnType<Membership['enroll']> {
    const enrolled = enrolling.then(() => enrollNow(input))
    // Whoever enrolled is told; the next one is judged by itself.
    enrolling = enrolled.catch(() => undefined)
    return enrolled
  }

  async function enrollNow({ name, labels, hubUrl = of.hubUrl() }: ParsedOf<typeof enrollNode>) {
    if (fleet.named(name)) throw failure('host.name_taken', { name })
    const { host, token } = await mintEnrolment(store, of.identity.fingerprint)
    const connector: ConnectorConfig = { kind: 'tunnel' }
    const record = { id: host, name, labels, connector }
    await registry.save(record)
    await open(record)
    const command = `muster node --hub ${hubUrl} --node-id ${host} --allow runs`
    return { host, name, token, hubUrl, command: `${command} --token ${token}`, commandStdin: `${command} --token-stdin` }
  }

  async function forget(host: FleetHost): Promise<void> {
    const unknown = failure('host.unknown', { host: host.name })
    await removeNode(store, host.id)
    fleet.remove(host.id)
    await host.connector.close(failure('node.unknown'))
    await following.get(host.id)?.[Symbol.asyncDispose]()
    following.delete(host.id)
    await queue.abandon(host.id, unknown)
    door.forget(host, unknown)
    // Last: a hub that is killed before this still lists the host, so that removing it can be asked for again.
    await registry.remove(host.id)
  }

  function acceptTunnel(channel: Channel, { address }: { address: string }): Promise<void> {
    const gate = {
      async admit(node: Parameters<typeof hostOfNode>[1]) {
        const host = fleet.byId(await hostOfNode(store, node, (id) => fleet.byId(id)?.name ?? id))
        if (!host) throw failure('node.unknown')
        return { id: host.id, name: host.name }
      },
      connectorOf: (id: string) => fleet.byId(id)?.connector,
    }
    const admitted = acceptDialIn(channel, address, { identity: of.identity, version: of.version, gate })
      .catch((error) => log.warn({ address, error: asMusterError(error).toValue() }, 'a node was refused'))
      .finally(() => admitting.delete(admitted))
    admitting.set(admitted, channel)
    return admitted
  }

  return {
    enroll,
    forget,
    acceptTunnel,
    corrupt: async () => (await registry.read()).corrupt,
    async [Symbol.asyncDispose]() {
      const closing = failure('wire.closed', { reason: 'the hub is closing' })
      for (const channel of admitting.values()) channel.close(closing)
      await Promise.all(fleet.all().map(({ connector }) => connector.close(closing)))
      await Promise.all([...following.values()].map((one) => one[Symbol.asyncDispose]()))
      await Promise.all(admitting.keys())
    },
  }
}
