// Hosts coming, changing and going: added, enrolled, let in when they dial, renamed, labelled, edited by hand, forgotten.
// It keeps registry (what a person edits), secrets, store (credentials) and fleet (open connectors) saying the same.

import { rm } from 'node:fs/promises'
import { ulid } from 'ulidx'
import { ConnectorConfig } from '../connectors/config.ts'
import {
  acceptDialIn,
  type DialInGate,
  type HostCertificates,
  leaverRole,
  type Remote,
  unusableNow,
} from '../connectors/dial-in.ts'
import { connectorLabel, dialsIn, hostCommand, tokenOf } from '../connectors/table.ts'
import type { NewAuditEntry } from '../contract/audit.ts'
import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import type { addHost, enrollNode, Joining, labelHost, replaceHostToken, trustHost } from '../contract/host.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { cancelRun } from '../contract/run.ts'
import { forgetNodeEvents } from '../store/fleet-events.ts'
import { unfinishedJobs } from '../store/jobs/find.ts'
import { findNodeByKey, removeNode } from '../store/nodes.ts'
import { savePairing } from '../store/pairings.ts'
import type { Channel } from '../wire/channel.ts'
import { fingerprintOf } from '../wire/identity.ts'
import type { RefusedDialer } from './audit/door.ts'
import { hostOfKey, hostOfNode, mintEnrolment, renewEnrolment } from './enrolment.ts'
import { type Fleet, type FleetHost, isLocal } from './fleet.ts'
import type { HostDoor } from './host-door.ts'
import { removeLeftSecrets } from './left-secrets.ts'
import { type OpenHostsOf, openHosts } from './open-hosts.ts'
import { followRecords, type Unserved } from './records.ts'
import type { HostRecord, Registry, Trouble } from './registry.ts'

export interface Membership extends AsyncDisposable {
  /** For a host that dials in. */
  enroll(input: ParsedOf<typeof enrollNode>): Promise<OutputOf<typeof enrollNode>>
  /** For a host that this hub reaches; its link is being made when this resolves. `command`: what is to be run on its machine. */
  add(input: Pick<ParsedOf<typeof addHost>, 'name' | 'labels' | 'trust' | 'connector' | 'secret'>): Promise<Added>
  rename(ref: string, name: string): Promise<FleetHost>
  label(input: ParsedOf<typeof labelHost>): Promise<FleetHost>
  /** The former token counts no longer once this resolves, and no link is left that it opened. `joining`: for a host that dials in. */
  replaceToken(input: Pick<ParsedOf<typeof replaceHostToken>, 'host' | 'secret' | 'hubUrl'>): Promise<Renewed>
  /** Lets a machine in whose key a person has approved: as the host that this key is already, or as a new one. Durable once it resolves. */
  pair(machine: Paired): Promise<FleetHost>
  /** Another set of what this hub may begin there. */
  trust(ref: string, allow: HostRecord['trust']['allow']): Promise<FleetHost>
  /** The same with some patterns more and others less. */
  changeTrust(input: ParsedOf<typeof trustHost>): Promise<FleetHost>
  /** Null, or why its secret stays in the keychain. */
  forget(host: FleetHost): Promise<string | null>
  /** A host that has no link, since its record was deleted by hand, or cannot be used or read. */
  unserved(ref: string): Promise<Unserved | undefined>
  /** Forgets what is left of one. */
  forgetUnserved(host: Unserved): Promise<string | null>
  /** Resolves when the handshake is over, however it ended. */
  acceptTunnel(channel: Channel, remote: Remote): Promise<void>
  /** What is wrong with the records, by file. */
  troubles(): Promise<Trouble[]>
}

interface Added {
  readonly host: FleetHost
  readonly command: string | null
}

interface Paired {
  /** The public key that it has proven. */
  readonly key: string
  /** What it calls itself, and so a new host, unless somebody has chosen another name. */
  readonly name: string
  readonly chosenName: string | undefined
  readonly allow: HostRecord['trust']['allow']
  readonly approvedBy: string
}

interface Renewed {
  readonly host: FleetHost
  readonly joining: Joining | null
}

export interface MembershipOf extends OpenHostsOf {
  readonly registry: Registry
  readonly fleet: Fleet
  readonly door: HostDoor
  /** For the audit log: durable once it resolves. */
  readonly record: (entry: NewAuditEntry) => Promise<void>
  /** This hub's own address, for the command that enrolment prints. */
  readonly hubUrl: () => string
  /** Told of each machine that dials and is not let in. Never rejects. */
  readonly refused: (error: MusterError, dialer: RefusedDialer) => Promise<void>
  /** Where TLS ends here. */
  readonly tls?: { readonly clients: HostCertificates; pinAt(url: string): string | null } | undefined
}

/** So long a host that is being removed has for taking back what it was asked. */
const callOffMs = 2_000

export async function openMembership(of: MembershipOf): Promise<Membership> {
  const { registry, secrets, store, fleet, queue, door, log } = of
  const hosts = openHosts(of)
  const admitting = new Map<Promise<void>, Channel>()
  /** How often a credential was taken back: a handshake that began before may have been let in by it. */
  let revocations = 0
  const oneAtATime = inTurn()
  await removeLeftSecrets({ registry, secrets, log })
  const records = await followRecords({ registry, fleet, hosts, door, oneAtATime, log })

  async function enroll({ name, labels, trust: allow, hubUrl = of.hubUrl() }: ParsedOf<typeof enrollNode>) {
    refuseTaken(name)
    const { host, token } = await mintEnrolment(store, of.identity.fingerprint)
    await enter({ id: host, name, labels, trust: { allow }, connector: { kind: 'tunnel' } })
    return { host, name, ...joiningOf({ host, token, hubUrl, pin: of.tls?.pinAt(hubUrl) }) }
  }

  async function add({ name, labels, trust: allow, connector: given, secret }: Parameters<Membership['add']>[0]): Promise<Added> {
    refuseTaken(name)
    const connector = parseConnector(given)
    const record: HostRecord = { id: `host_${ulid()}`, name, labels, trust: { allow }, connector }
    refuseOtherThanWanted(record, secret)
    const host = await enter(record, secret)
    return { host, command: hostCommand(connector, { host: record.id, identity: of.identity }) }
  }

  /** All of it or nothing. The record first: whatever a killed hub leaves of the rest then belongs to a host that can be removed. */
  async function enter(record: HostRecord, secret?: string): Promise<FleetHost> {
    await registry.save(record)
    try {
      if (secret !== undefined) await secrets.save(record.id, secret)
      await hosts.apply(record)
    } catch (error) {
      await secrets.remove(record.id)
      await registry.remove(record.id)
      throw error
    }
    return fleet.find(record.id)
  }

  async function pair(machine: Paired): Promise<FleetHost> {
    const { key, chosenName, allow, approvedBy } = machine
    const bound = (await findNodeByKey(store, key))?.host
    const there = bound === undefined ? undefined : fleet.byId(bound)
    const name = chosenName ?? there?.name ?? machine.name
    refuseTaken(name, there)
    const id = bound ?? `host_${ulid()}`
    const former = there && (await recordOf(there))
    if (bound !== undefined && !there) await refuseUnreadable(bound)
    // The key first: what a killed hub leaves is then a key whose host the next approval makes, and no host without a key.
    if (!(await savePairing(store, { host: id, publicKey: key, approvedBy }))) return pair(machine)
    if (there && former) {
      await change({ ...former, name, trust: { allow } })
      return there
    }
    try {
      return await enter({ id, name, labels: {}, trust: { allow }, connector: { kind: 'tunnel' } })
    } catch (error) {
      if (bound === undefined) await removeNode(store, id)
      throw error
    }
  }

  /** What somebody is just mending is not written over. */
  async function refuseUnreadable(id: string): Promise<void> {
    const found = (await registry.read()).corrupt.find(({ about }) => about.includes(id))
    if (found) throw failure('host.record_corrupt', found)
  }

  /** For its own sake: whoever could be this host may give it up. Throws `node.unknown`, `node.token_replaced`, and what `judge` does. */
  async function leave(key: string, judge: Parameters<DialInGate['leave']>[1]): Promise<void> {
    const id = await hostOfKey(store, key)
    const host = fleet.byId(id)
    const name = host?.name ?? id
    await judge({ id, name })
    await of.record({ actor: { kind: 'node', id, role: leaverRole }, action: 'node.leave', host: id, decision: 'allowed' })
    log.info({ host: name, id }, 'a host has left')
    if (host) await forget(host)
    else await forgetUnserved({ id, name: id })
  }

  async function trust(ref: string, allow: HostRecord['trust']['allow']): Promise<FleetHost> {
    const host = fleet.find(ref)
    await change({ ...(await recordOf(host)), trust: { allow } })
    return host
  }

  async function changeTrust({ host: ref, add: more, remove }: ParsedOf<typeof trustHost>): Promise<FleetHost> {
    const host = fleet.find(ref)
    const record = await recordOf(host)
    const kept = record.trust.allow.filter((pattern) => !remove.includes(pattern))
    await change({ ...record, trust: { allow: [...new Set([...kept, ...more])] } })
    return host
  }

  function refuseTaken(name: string, but?: FleetHost): void {
    const taken = fleet.named(name)
    if (taken && taken !== but) throw failure('host.name_taken', { name })
  }

  async function rename(ref: string, name: string): Promise<FleetHost> {
    const host = fleet.find(ref)
    const record = await recordOf(host)
    refuseTaken(name, host)
    await change({ ...record, name })
    return host
  }

  async function label({ host: ref, set, unset }: ParsedOf<typeof labelHost>): Promise<FleetHost> {
    const host = fleet.find(ref)
    const record = await recordOf(host)
    const kept = Object.entries(record.labels).filter(([name]) => !unset.includes(name))
    await change({ ...record, labels: { ...Object.fromEntries(kept), ...set } })
    return host
  }

  async function change(record: HostRecord): Promise<void> {
    await registry.save(record)
    await hosts.apply(record)
  }

  /** As it is on disk now, so that what was edited there this moment is not written over. */
  async function recordOf(host: FleetHost): Promise<HostRecord> {
    if (isLocal(host)) throw failure('host.local_fixed')
    return registry.readOne(host.id)
  }

  async function replaceToken({ host: ref, secret, hubUrl }: Parameters<Membership['replaceToken']>[0]): Promise<Renewed> {
    const host = fleet.find(ref)
    const { name } = host
    const whose = isLocal(host) ? 'none' : tokenOf((await registry.readOne(host.id)).connector)
    if (whose === 'none') throw failure('host.no_token', { host: name, way: isLocal(host) ? 'a function call' : host.label })
    if (whose === 'minted') {
      if (secret !== undefined) throw failure('host.token_minted', { host: name })
      const token = await renewEnrolment(store, of.identity.fingerprint, host.id)
      revocations++
      await hosts.renew(host, failure('node.token_replaced'))
      const dialled = hubUrl ?? of.hubUrl()
      return { host, joining: joiningOf({ host: host.id, token, hubUrl: dialled, pin: of.tls?.pinAt(dialled) }) }
    }
    if (hubUrl !== undefined) throw failure('input.invalid', { what: 'hubUrl', problem: `${name} does not dial this hub` })
    if (secret === undefined) throw failure('host.token_wanted', { host: name })
    await secrets.save(host.id, secret)
    await hosts.renew(host, failure('wire.closed', { reason: 'its token was replaced' }))
    return { host, joining: null }
  }

  async function forget(host: FleetHost): Promise<string | null> {
    await removeNode(store, host.id)
    await callOff(host)
    await hosts.close(host, failure('node.unknown'))
    door.forget(host, failure('host.unknown', { host: host.name }))
    return forgetRest(host)
  }

  /** What lies ready where a host will look is begun there also when nobody waits for it any more. As much as can be had in a moment. */
  async function callOff({ id, name, connector }: FleetHost): Promise<void> {
    const { caller } = connector.state
    if (!connector.traits.deferred || !caller) return
    const jobs = (await unfinishedJobs(store)).filter(({ host, fence, state }) => host === id && fence > 0 && state !== 'started')
    if (jobs.length === 0) return
    // First, so that to be taken back is not how they end.
    await queue.abandon(id, failure('host.unknown', { host: name }))
    const left: string[] = []
    const cancel = async (run: string) => {
      try {
        await caller.call(cancelRun, { run }, { timeoutMs: callOffMs })
      } catch (error) {
        // Nobody had taken it, and now nobody will.
        if (!hasCode(error, 'run.unknown')) left.push(run)
      }
    }
    await Promise.all(jobs.map(({ run }) => cancel(run)))
    if (left.length > 0)
      log.warn({ host: name, runs: left }, 'a host was removed that has not said that these runs are cancelled')
  }

  async function forgetRest({ id, name }: Pick<FleetHost, 'id' | 'name'>): Promise<string | null> {
    await queue.abandon(id, failure('host.unknown', { host: name }))
    const leftInKeychain = await secrets.remove(id)
    await rm(hosts.dirOf(id), { recursive: true, force: true })
    await forgetNodeEvents(store, id)
    // Last: a hub that is killed before this still lists the host, so that removing it can be asked for again.
    await registry.remove(id)
    return leftInKeychain
  }

  async function forgetUnserved(host: Unserved): Promise<string | null> {
    await removeNode(store, host.id)
    const leftInKeychain = await forgetRest(host)
    records.forget(host.id)
    return leftInKeychain
  }

  function acceptTunnel(channel: Channel, remote: Remote): Promise<void> {
    const before = revocations
    const gate = {
      async admit(node: Parameters<typeof hostOfNode>[1]) {
        const host = fleet.byId(await hostOfNode(store, node, (id) => fleet.byId(id)?.name ?? id))
        // A host that was removed has no key here any more: this one's record was put aside, or is torn.
        if (!host) throw unusableNow()
        return { id: host.id, name: host.name }
      },
      leave: (...leaving: Parameters<DialInGate['leave']>) => oneAtATime(() => leave(...leaving)),
      // A host that is known by its key alone is told of as that host, also where that was not enough.
      refused: async (error: MusterError, { address, key, host }: Parameters<DialInGate['refused']>[1]) =>
        of.refused(error, {
          address,
          what: 'tunnel.dial',
          subject: key && fingerprintOf(key),
          host: host ?? (key && (await findNodeByKey(store, key).catch(() => undefined))?.host) ?? null,
        }),
      // Who was let in by what has been taken back since is not: it dials again, and is judged anew.
      certificates: of.tls?.clients,
      connectorOf: (id: string) => (before === revocations ? fleet.byId(id)?.connector : undefined),
    }
    const admitted = acceptDialIn(channel, remote, { identity: of.identity, version: of.version, gate })
      .catch((error) => log.warn({ address: remote.address, error: asMusterError(error).toValue() }, 'a node was refused'))
      .finally(() => admitting.delete(admitted))
    admitting.set(admitted, channel)
    return admitted
  }

  return {
    enroll: (input) => oneAtATime(() => enroll(input)),
    add: (input) => oneAtATime(() => add(input)),
    rename: (ref, name) => oneAtATime(() => rename(ref, name)),
    label: (input) => oneAtATime(() => label(input)),
    replaceToken: (input) => oneAtATime(() => replaceToken(input)),
    pair: (machine) => oneAtATime(() => pair(machine)),
    changeTrust: (input) => oneAtATime(() => changeTrust(input)),
    trust: (ref, allow) => oneAtATime(() => trust(ref, allow)),
    forget: (host) => oneAtATime(() => forget(host)),
    unserved: records.unserved,
    forgetUnserved: (host) => oneAtATime(() => forgetUnserved(host)),
    acceptTunnel,
    troubles: records.troubles,
    async [Symbol.asyncDispose]() {
      for (const channel of admitting.values()) channel.close(failure('wire.closed', { reason: 'the hub is closing' }))
      await records[Symbol.asyncDispose]()
      await hosts[Symbol.asyncDispose]()
      await Promise.all(admitting.keys())
    },
  }
}

interface JoiningOf {
  readonly host: string
  readonly token: string
  readonly hubUrl: string
  readonly pin: string | null | undefined
}

function joiningOf({ host, token, hubUrl, pin }: JoiningOf): Joining {
  const trust = pin == null ? '' : ` --pin ${pin}`
  const command = `muster node --hub ${hubUrl}${trust} --node-id ${host} --allow runs`
  const commandStdin = `${command} --token-stdin`
  // Not as an option: every account of that machine can read a command line, and `echo` is a word of the shell.
  return { token, hubUrl, command: `echo ${token} | ${commandStdin}`, commandStdin }
}

/** Throws `input.invalid` with what each connector wants, `host.dials_in`. */
function parseConnector(given: unknown): ConnectorConfig {
  const parsed = ConnectorConfig.safeParse(given)
  if (!parsed.success) {
    throw failure('input.invalid', { what: 'connector', problem: parsed.error.issues.map(describeIssue).join('; ') })
  }
  if (dialsIn(parsed.data)) throw failure('host.dials_in', { kind: parsed.data.kind })
  return parsed.data
}

/** A token that would be missed, and one that would be kept for nobody. Throws `host.token_missing`, `host.no_token`. */
function refuseOtherThanWanted({ id, name, connector }: HostRecord, secret: string | undefined): void {
  const isShown = tokenOf(connector) === 'shown'
  if (isShown && secret === undefined) throw failure('host.token_missing', { host: name })
  if (!isShown && secret !== undefined) throw failure('host.no_token', { host: name, way: connectorLabel(connector, id) })
}

/** One at a time, so that of two with the same name the second is told, and a record is read only between changes. */
function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    // Whoever asked is told; the next one is judged by itself.
    last = done.catch(() => undefined)
    return done
  }
}
