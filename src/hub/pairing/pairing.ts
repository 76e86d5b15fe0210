// Pairing at the hub: machines that ask to be let in, hosts that ask for more, and the person who decides about both.
// It puts the parts together: the wire's pairing at the door, those that wait, the membership that makes hosts of them.

import type { Logger } from 'pino'
import type { Remote } from '../../connectors/dial-in.ts'
import { asMusterError, failure, type MusterError } from '../../contract/errors.ts'
import { Trust } from '../../contract/host.ts'
import { type Bound, describeIssue, implement } from '../../contract/implementation.ts'
import { HostName } from '../../contract/names.ts'
import type { OutputOf, ParsedOf } from '../../contract/operation.ts'
import { approvePairing, listPairings, type PairingRow, rejectPairing } from '../../contract/pairing.ts'
import { findNodeByKey } from '../../store/nodes.ts'
import type { Store } from '../../store/store.ts'
import type { Channel } from '../../wire/channel.ts'
import { fingerprintOf, type Identity } from '../../wire/identity.ts'
import { type Asking, acceptPairing } from '../../wire/pairing.ts'
import type { RefusedDialer } from '../audit/door.ts'
import type { Fleet, FleetHost } from '../fleet.ts'
import type { FleetEvents } from '../fleet-events.ts'
import type { Membership } from '../membership.ts'
import { tellUpgrade, type Upgrade, type Upgrades } from './upgrades.ts'
import { openWaiting, type Taken, type WaitingMachine, type WaitingOf } from './waiting.ts'
import { beyond } from './wishes.ts'

export interface Pairing extends AsyncDisposable {
  /** Takes a channel that a machine has dialled to be let in. Resolves when that is over, however it ended. */
  accept(channel: Channel, remote: Remote): Promise<void>
  /** What an operator can ask of it. */
  readonly offers: readonly Bound[]
}

export interface PairingOf {
  readonly store: Store
  readonly fleet: Fleet
  readonly membership: Pick<Membership, 'pair' | 'trust'>
  readonly upgrades: Upgrades
  readonly identity: Identity
  readonly version: string
  readonly log: Logger
  readonly events: Pick<FleetEvents, 'publish'>
  /** Told of each machine that is not let in. Never rejects. */
  readonly refused: (error: MusterError, dialer: RefusedDialer) => Promise<void>
  readonly limits?: WaitingOf['limits']
}

const handshakeTimeoutMs = 10_000

export function openPairing(of: PairingOf): Pairing {
  const { store, fleet, membership, upgrades, events, log } = of
  const accepting = new Set<Promise<void>>()
  const refused = (error: MusterError, address: string, name: string | null) =>
    of.refused(error, { address, what: 'pairing.ask', subject: name, host: null })
  const waiting = openWaiting({
    ...(of.limits && { limits: of.limits }),
    onEnter(machine) {
      log.info({ name: machine.name, address: machine.address, pairing: machine.id }, 'a machine asks to be let in')
      events.publish({ topic: 'pairing.requested', data: dataOf(machine) })
    },
    onEnd(machine, ending) {
      log.info({ name: machine.name, pairing: machine.id, ending }, 'a machine waits no more')
      // That one was let in is told with the host that it is.
      if (ending !== 'approved') events.publish({ topic: `pairing.${ending}`, data: dataOf(machine) })
    },
  })

  function accept(channel: Channel, { address, takeTurn }: Remote): Promise<void> {
    const accepted = acceptPairing(channel, {
      identity: of.identity,
      software: of.version,
      timeoutMs: handshakeTimeoutMs,
      ...(takeTurn && { takeTurn }),
      enter(asking) {
        const noted = (error: MusterError) => void refused(error, address, asking.name)
        try {
          const place = waiting.enter(checked(asking), address)
          place.decided.catch((why) => {
            // Whose connection has gone was not refused.
            if (why.code.startsWith('pairing.')) noted(why)
          })
          return place
        } catch (error) {
          noted(asMusterError(error))
          throw error
        }
      },
    })
      .then(() => channel.close(failure('wire.closed', { reason: 'the pairing is over' })))
      .catch(async (thrown) => {
        const error = asMusterError(thrown)
        log.info({ address, error: error.toValue() }, 'a machine was not let in')
        if (error.code === 'wire.proof') await refused(error, address, null)
      })
      .finally(() => accepting.delete(accepted))
    accepting.add(accepted)
    return accepted
  }

  async function list(): Promise<OutputOf<typeof listPairings>> {
    const machines = await Promise.all(waiting.all().map(rowOfMachine))
    return { pairings: [...machines, ...upgrades.all().map(rowOfUpgrade)] }
  }

  async function rowOfMachine(machine: WaitingMachine): Promise<PairingRow> {
    const { id, key, address, platform, arch, software, asks, since, expiresAt, triesLeft } = machine
    const host = await hostOf(key)
    return {
      id,
      kind: host ? 'rejoin' : 'new',
      name: host?.name ?? machine.name,
      nameTaken: !host && fleet.named(machine.name) !== undefined,
      host: host?.id ?? null,
      key: fingerprintOf(key),
      address,
      platform: `${platform} ${arch}`,
      software,
      asks: [...asks],
      approved: [...(host?.trust ?? [])],
      since,
      expiresAt,
      triesLeft,
    }
  }

  async function hostOf(key: string): Promise<FleetHost | undefined> {
    const known = await findNodeByKey(store, key)
    return known && fleet.byId(known.host)
  }

  async function approveMachine(
    taken: Taken,
    { name, allow }: Pick<ParsedOf<typeof approvePairing>, 'name' | 'allow'>,
    approvedBy: string,
  ): Promise<OutputOf<typeof approvePairing>> {
    const { machine } = taken
    try {
      const granted = granting(machine.name, machine.asks, allow)
      const kind = (await hostOf(machine.key)) ? 'rejoin' : 'new'
      const host = await membership.pair({
        key: machine.key,
        name: machine.name,
        chosenName: name,
        allow: granted,
        approvedBy,
      })
      upgrades.paired(host.id)
      // What is withheld now is not asked about again at once.
      const withheld = beyond(machine.asks, granted)
      if (withheld.length > 0) await upgrades.refuse(host, withheld)
      events.publish({ topic: 'pairing.approved', host: { id: host.id, name: host.name }, data: dataOf(machine) })
      taken.approve({ host: { id: host.id, name: host.name }, trust: granted })
      return { host: host.id, name: host.name, kind, trust: [...granted] }
    } catch (error) {
      taken.putBack()
      throw error
    }
  }

  async function approveUpgrade(
    ref: string,
    allow: ParsedOf<typeof approvePairing>['allow'],
  ): Promise<OutputOf<typeof approvePairing>> {
    const { host, asks } = upgradeOf(ref)
    const granted = granting(host.name, asks, allow)
    const { trust } = await membership.trust(host.id, Trust.parse([...host.trust, ...granted]))
    const rest = beyond(asks, granted)
    if (rest.length > 0) await upgrades.refuse(host, rest)
    tellUpgrade('pairing.upgrade_decided', { host, asks }, events)
    return { host: host.id, name: host.name, kind: 'upgrade', trust: [...trust] }
  }

  async function rejectUpgrade(ref: string): Promise<OutputOf<typeof rejectPairing>> {
    const { host, asks } = upgradeOf(ref)
    await upgrades.refuse(host, asks)
    tellUpgrade('pairing.upgrade_decided', { host, asks }, events)
    return { rejected: host.id, name: host.name }
  }

  function upgradeOf(ref: string): Upgrade {
    const host = fleet.find(ref)
    const upgrade = upgrades.all().find((one) => one.host === host)
    if (!upgrade) throw failure('pairing.no_upgrade', { host: host.name })
    return upgrade
  }

  return {
    accept,
    offers: [
      implement(listPairings, list),
      implement(approvePairing, async ({ code, host, name, allow }, { principal }) =>
        code === undefined
          ? approveUpgrade(host ?? '', allow)
          : approveMachine(waiting.takeByCode(code), { name, allow }, principal.id),
      ),
      implement(rejectPairing, async ({ code, pairing, host }) => {
        if (host !== undefined) return rejectUpgrade(host)
        const taken = pairing === undefined ? waiting.takeByCode(code ?? '') : waiting.takeById(pairing)
        taken.reject()
        return { rejected: taken.machine.id, name: taken.machine.name }
      }),
    ],
    async [Symbol.asyncDispose]() {
      waiting.close(failure('wire.closed', { reason: 'the hub is closing' }))
      await Promise.all(accepting)
    },
  }
}

/** A stranger's words as what they are to be. Throws `input.invalid`. */
function checked(asking: Asking): Asking {
  const name = HostName.safeParse(asking.name)
  if (!name.success)
    throw failure('input.invalid', { what: 'the name', problem: name.error.issues.map(describeIssue).join('; ') })
  const asks = Trust.safeParse(asking.asks)
  if (!asks.success)
    throw failure('input.invalid', { what: 'what it asks for', problem: asks.error.issues.map(describeIssue).join('; ') })
  return { ...asking, name: name.data, asks: [...new Set(asks.data)] }
}

/** All that is asked for, or what the approver leaves of it. Throws `pairing.not_asked` for more. */
function granting(name: string, asks: readonly string[], allow: ParsedOf<typeof approvePairing>['allow']) {
  const granted = Trust.parse(allow ?? asks)
  const more = beyond(granted, asks)
  if (more.length > 0) throw failure('pairing.not_asked', { name, asks: asks.join(', ') || 'nothing', given: more.join(', ') })
  return granted
}

function dataOf({ id, name, address }: WaitingMachine) {
  return { pairing: id, name, address }
}

function rowOfUpgrade({ host, asks, since }: Upgrade): PairingRow {
  return {
    id: host.id,
    kind: 'upgrade',
    name: host.name,
    nameTaken: false,
    host: host.id,
    key: null,
    address: null,
    platform: null,
    software: null,
    asks: [...asks],
    approved: [...host.trust],
    since,
    expiresAt: null,
    triesLeft: null,
  }
}
