// An invocation on several hosts at once, each by the door through which it is asked alone. What happens to one is its own result.

import { invokeCommand, type invokeOnFleet } from '../contract/command.ts'
import { direct } from '../contract/direct.ts'
import { asMusterError, type ErrorValue, failure, type MusterError } from '../contract/errors.ts'
import type { Handler } from '../contract/implementation.ts'
import { passes } from '../contract/label-test.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { canonicalJson } from '../store/canonical.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import type { HostDoor } from './host-door.ts'

type Input = ParsedOf<typeof invokeOnFleet>
type Group = OutputOf<typeof invokeOnFleet>['groups'][number]

interface HostResult {
  readonly host: string
  readonly result?: unknown
  readonly error: ErrorValue | null
  /** The same for hosts of which the same is to be told. */
  readonly mark: string
}

interface FleetInvokerOf {
  readonly fleet: Fleet
  /** What each host is asked by people, so with an entry of its own in the audit log. */
  readonly door: Pick<HostDoor, 'offers'>
  /** Whether a person is being asked there about this command. */
  readonly isAsked: (host: string, command: string) => Promise<boolean>
  /** How long a host may take for whom nobody has said it. */
  readonly usualMs?: number
}

export function fleetInvoker({ fleet, door, isAsked, usualMs = 120_000 }: FleetInvokerOf): Handler<typeof invokeOnFleet> {
  return async (input, { principal, signal, progress }) => {
    const { hosts: _hosts, labels: _labels, timeoutMs, ...invocation } = input
    const one = async (host: FleetHost): Promise<HostResult> => {
      const { id, name } = host
      // Who has said how long he waits means it; nobody else's patience ends while a person thinks about it.
      const isHeldUp = async () => timeoutMs === undefined && (await isAsked(id, input.command))
      using patience = patienceOf(timeoutMs ?? usualMs, isHeldUp)
      try {
        const { result } = await direct(door.offers(host), principal).call(invokeCommand, invocation, {
          signal: AbortSignal.any([signal, patience.over]),
          onProgress: (value) => progress({ host: name, value }),
        })
        return { host: name, result, error: null, mark: canonicalJson([result ?? null]) }
      } catch (thrown) {
        signal.throwIfAborted()
        const error = told(patience.over.aborted ? patience.over.reason : asMusterError(thrown), name, input).toValue()
        return { host: name, error, mark: canonicalJson(error) }
      }
    }
    const chosen = chooseHosts(fleet, input)
    const results = await Promise.all(chosen.map(one))
    return {
      hosts: results.length,
      failed: results.filter(({ error }) => error !== null).length,
      groups: groupsOf(results),
    }
  }
}

interface Patience extends Disposable {
  /** Aborted, with `call.deadline`. */
  readonly over: AbortSignal
}

/** `ms`, and as long again whenever it is found held up at its end. */
function patienceOf(ms: number, isHeldUp: () => Promise<boolean>): Patience {
  const ending = new AbortController()
  const end = () => ending.abort(failure('call.deadline', { operation: invokeCommand.name, ms }))
  const look = () => isHeldUp().then((heldUp) => (heldUp ? wait() : end()), end)
  let timer: NodeJS.Timeout | undefined
  let isLeft = false
  const wait = () => {
    if (!isLeft) timer = setTimeout(() => void look(), ms)
  }
  wait()
  return {
    over: ending.signal,
    [Symbol.dispose]() {
      isLeft = true
      clearTimeout(timer)
    },
  }
}

/** By name. Throws `host.unknown`, `invoke.no_hosts`. */
function chooseHosts(fleet: Fleet, { hosts, labels }: Input): FleetHost[] {
  if (hosts.length === 0 && labels.length === 0) throw failure('invoke.no_hosts', { asked: 'naming neither hosts nor labels' })
  const named = hosts.length === 0 ? fleet.all() : [...new Set(hosts.map((ref) => fleet.find(ref)))]
  const chosen = named.filter((host) => passes(host.labels, labels))
  if (chosen.length === 0) throw failure('invoke.no_hosts', { asked: labels.join(' ') })
  return chosen.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The deadline is this hub's; what the host has made of it is not known. */
function told(error: MusterError, host: string, { command }: Input): MusterError {
  if (error.code !== 'call.deadline') return error
  return failure('invoke.no_answer', { host, command, reason: error.message.replace(/\.$/, '') }, { cause: error })
}

function groupsOf(results: readonly HostResult[]): Group[] {
  const groups = Map.groupBy(results, ({ mark }) => mark)
  return [...groups.values()].map((group) => ({
    hosts: group.map(({ host }) => host),
    result: group[0]?.result ?? null,
    error: group[0]?.error ?? null,
  }))
}
