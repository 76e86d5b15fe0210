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

export function fleetInvoker({ fleet, door }: { fleet: Fleet; door: HostDoor }): Handler<typeof invokeOnFleet> {
  return async (input, { principal, signal, progress }) => {
    const { hosts: _hosts, labels: _labels, timeoutMs, ...invocation } = input
    const one = async (host: FleetHost): Promise<HostResult> => {
      const { name } = host
      try {
        const { result } = await direct(door.offers(host), principal).call(invokeCommand, invocation, {
          signal,
          timeoutMs,
          onProgress: (value) => progress({ host: name, value }),
        })
        return { host: name, result, error: null, mark: canonicalJson([result ?? null]) }
      } catch (thrown) {
        signal.throwIfAborted()
        const error = told(asMusterError(thrown), name, input).toValue()
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
    result: group[0]?.result,
    error: group[0]?.error ?? null,
  }))
}
