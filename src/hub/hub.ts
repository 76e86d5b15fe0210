// A hub, assembled: store, own host, fleet, queue, mirror, membership, and the door through which any host is asked.
// Used by the process that serves it (src/cli) and by tests. It knows no HTTP and no carrier by kind.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Remote } from '../connectors/dial-in.ts'
import { openLocal } from '../connectors/table.ts'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { failure, type MusterError } from '../contract/errors.ts'
import type { Implementation, Principal } from '../contract/implementation.ts'
import { localHost } from '../contract/names.ts'
import { lockHome } from '../store/lock.ts'
import { openStore, pingStore } from '../store/store.ts'
import { logOfStore, watched } from '../store/watched.ts'
import type { Channel } from '../wire/channel.ts'
import { loadIdentity } from '../wire/identity.ts'
import { protocolVersion } from '../wire/protocol.ts'
import { openAccess } from './access.ts'
import { openHubApprovals } from './approvals/approvals.ts'
import type { ApprovalLinks } from './approvals/links.ts'
import { openHubAudit, type RefusedRequest } from './audit/door.ts'
import type { HubTls, TlsChoice } from './authority/tls.ts'
import { createFleet, type FleetHost } from './fleet.ts'
import { openFleetEvents } from './fleet-events.ts'
import { fleetRuns } from './fleet-runs.ts'
import { openDoor } from './host-door.ts'
import { fleetInvoker } from './invoke-fleet.ts'
import { openMembership } from './membership.ts'
import { hubMetrics } from './metrics.ts'
import { openMirror } from './mirror.ts'
import { hubOffers } from './operations.ts'
import { openPairing } from './pairing/pairing.ts'
import { openUpgrades, tellUpgrade } from './pairing/upgrades.ts'
import { openQueue } from './queue.ts'
import { openRegistry } from './registry.ts'
import { relayer } from './relay.ts'
import { openSecrets } from './secrets.ts'
import { type WorkflowParts, workflowExecutor } from './workflows.ts'

export type { TlsChoice } from './authority/tls.ts'

export interface HubOptions {
  /** $MUSTER_HOME, which exists and is this user's own. */
  readonly home: string
  /** postgres://…; without it the embedded store in `home`. */
  readonly storeUrl?: string
  readonly label?: string
  /** An operator's token, good as long as this hub is open; kept nowhere. */
  readonly token?: string | undefined
  /** How many runs' output is copied at once, where open files are few. */
  readonly copiesAtOnce?: number
  /** With it the hub ends TLS itself. */
  readonly tls?: TlsChoice | undefined
  /** The clock by which certificates are made and judged, in milliseconds. */
  readonly now?: () => number
  readonly version: string
  readonly log: Logger
}

export interface Hub extends AsyncDisposable {
  /** Fingerprint of its key: what other hubs know it by. */
  readonly id: string
  /** What a hub is asked itself. */
  readonly offers: Implementation
  /** What one of its hosts can be asked, by id or name. Rejects with `host.unknown`. */
  host(ref: string): Promise<Implementation>
  authenticate(token: string): Promise<Principal | undefined>
  /** Web links that answer one approval each. */
  readonly approvalLinks: ApprovalLinks
  /** What a listener that ends TLS here presents. */
  readonly tls: HubTls['listener'] | undefined
  /** Told of every request that is turned away; resolves once that is in the audit log, as far as it goes there. */
  refused(error: MusterError, request: RefusedRequest): Promise<void>
  /** Takes a channel that a node has dialled; a refusal closes it. Resolves when the handshake is over. */
  acceptTunnel(channel: Channel, remote: Remote): Promise<void>
  /** Takes a channel that a machine has dialled to be let in. Resolves when that is over. */
  acceptPairing(channel: Channel, remote: Remote): Promise<void>
  /** Where the API listens, once it does: for hub.info and for the commands that enrolment prints. */
  listening(urls: readonly string[]): void
  /** Rejects while the hub cannot do its work, e.g. `store.unavailable`. */
  checkReady(): Promise<void>
  metrics(): Promise<string>
}

/** Opens the hub of this home. Rejects with `home.locked` when another process has it. */
export async function openHub(options: HubOptions): Promise<Hub> {
  const { home, storeUrl, token, label = '', copiesAtOnce = Infinity, now = Date.now, version, log } = options
  await using opened = new AsyncDisposableStack()
  const dir = join(home, 'hub')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  opened.use(lockHome(dir))
  const identity = await loadIdentity(join(dir, 'key'))
  const store = watched(
    opened.use(await openStore(storeUrl === undefined ? { file: join(dir, 'hub.db') } : { url: storeUrl })),
    logOfStore(log, 'the hub'),
  )
  const events = opened.use(openFleetEvents({ store, log }))
  const access = opened.use(openAccess({ store, token }))
  const audit = opened.use(await openHubAudit(store, log))
  const startedAt = new Date().toISOString()
  let urls: readonly string[] = []

  events.publish({ topic: 'hub.started', data: { version } })

  // After the own host has let go of its workflows, which read too, and before the store closes.
  const closingReaders = new AbortController()
  opened.defer(() => closingReaders.abort(failure('wire.closed', { reason: 'the hub is closing' })))
  const mirror = opened.use(openMirror({ dir: join(dir, 'mirror'), store, log, copiesAtOnce }))
  // The own host takes up its unfinished workflows as it opens; they wait here until there is a queue for their units.
  const ready = Promise.withResolvers<WorkflowParts>()
  const itself = Promise.withResolvers<(asker: string | null) => Promise<Caller>>()
  const local = opened.use(
    await openLocal({
      home: join(home, 'host'),
      executors: { workflow: workflowExecutor(ready.promise) },
      hub: async (asker) => (await itself.promise)(asker),
      log,
    }),
  )
  const fleet = createFleet({
    id: localHost,
    name: localHost,
    labels: {},
    trust: ['*'],
    kind: localHost,
    label: localHost,
    connector: local,
  })
  const queue = opened.use(await openQueue({ store, fleet, mirror, owner: `hub:${identity.fingerprint}`, log }))
  const approvals = opened.use(
    await openHubApprovals({
      store,
      fleet,
      dir,
      log,
      url: () => urls[0] ?? 'http://127.0.0.1:7878',
      mayStillApprove: (id) => access.mayStill(id, 'approve'),
      record: (entry) => audit.sink.record(entry, { durable: true }),
      publish: ({ topic, approval: { id, hostId, host, state, asked, expiresAt } }) =>
        events.publish({
          topic,
          host: { id: hostId, name: host },
          data: { approval: id, state, command: asked.command, asker: asked.asker, expiresAt },
        }),
    }),
  )
  const door = openDoor({ queue, mirror, answerOf: approvals.answerOf, closing: closingReaders.signal })
  const secrets = openSecrets({ dir: join(dir, 'secrets'), log })
  const upgrades = await openUpgrades(store, (upgrade) => {
    log.info({ host: upgrade.host.name, asks: upgrade.asks }, 'a host asks for more than was approved')
    tellUpgrade('pairing.upgrade_requested', upgrade, events)
  })
  const tls =
    options.tls &&
    opened.use(
      // Loaded only where it is wanted: what encodes certificates is large.
      await (await import('./authority/tls.ts')).openTls({
        choice: options.tls,
        dir,
        hub: identity.fingerprint,
        store,
        fleet,
        now,
        log,
      }),
    )
  const membership = opened.use(
    await openMembership({
      secrets,
      connectorsDir: join(dir, 'connectors'),
      registry: await openRegistry(join(home, 'hosts')),
      store,
      fleet,
      queue,
      mirror,
      events,
      approvals,
      door,
      record: (entry) => audit.sink.record(entry, { durable: true }),
      identity,
      version,
      onSaid: upgrades.note,
      log,
      refused: audit.refusedDialer,
      tls,
      hubUrl: () => (urls[0] ?? 'ws://127.0.0.1:7878').replace(/^http/, 'ws'),
    }),
  )
  const pairing = opened.use(
    openPairing({ store, fleet, membership, upgrades, identity, version, log, events, refused: audit.refusedDialer }),
  )
  ready.resolve({ fleet, queue, door })
  const offersOf = (host: FleetHost) => audit.ofHost(host, door.offers(host))
  const offers = hubOffers({
    store,
    access,
    fleet,
    queue,
    membership,
    pairing,
    secrets,
    events,
    approvals,
    tls,
    runs: fleetRuns({ store, fleet, door }),
    invokeOnFleet: fleetInvoker({ fleet, door: { offers: offersOf }, isAsked: approvals.isAsked }),
    relayFiles: relayer({ fleet, offersOf }),
    info: () => ({
      id: identity.fingerprint,
      label,
      version,
      protocol: protocolVersion,
      key: identity.fingerprint,
      urls: [...urls],
      ...(tls?.listener.pin != null && { pin: tls.listener.pin }),
      startedAt,
      store: store.engine,
      pid: process.pid,
    }),
  })
  const figures = hubMetrics({ store, fleet })
  const known = { fleet, hostOf: approvals.hostOf }
  const asked = audit.ofHub(offers, known)
  // By a command he may what he may without it, as he stands now, and it is written down as his.
  itself.resolve(async (asker) => direct(asked, await access.principalOf(asker)))
  const closing = opened.move()
  return {
    id: identity.fingerprint,
    offers: asked,
    host: async (ref) => offersOf(fleet.find(ref)),
    tls: tls?.listener,
    authenticate: access.authenticate,
    refused: (error, request) => audit.refused(error, request, known),
    approvalLinks: approvals.links,
    acceptTunnel: membership.acceptTunnel,
    acceptPairing: pairing.accept,
    listening: (now) => {
      urls = now
    },
    checkReady: () => pingStore(store),
    metrics: figures.text,
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  }
}
