// The hub's side of what may be done on a host: the `[trust]` part of its record. The host's own policy is the other side, asked there;
// the narrower of the two counts. Asked before a run is taken for a host, before it is started, and before a proc is made.

import { invokeCommand } from '../contract/command.ts'
import { failure } from '../contract/errors.ts'
import {
  askForFiles,
  digestFile,
  dropFile,
  gatherFiles,
  getFile,
  keepFile,
  lookAtFile,
  putFile,
  scatterFiles,
  stagedFile,
  walkFiles,
} from '../contract/file.ts'
import type { Operation } from '../contract/operation.ts'
import { hostOperations } from '../contract/operations.ts'
import { applyProc, callProc } from '../contract/proc.ts'
import { startRun } from '../contract/run.ts'
import { decide } from '../policy/decide.ts'
import { trustLayer } from '../policy/layers.ts'
import type { FleetHost } from './fleet.ts'

/** What an operation begins, as policies call it; the others begin nothing. */
const begins = new Map<Operation, (input: unknown) => string>([
  [startRun, () => 'runs'],
  [applyProc, () => 'procs'],
  [invokeCommand, (input) => String((input as { command?: unknown } | undefined)?.command)],
  ...[lookAtFile, walkFiles, askForFiles].map((one) => [one, meant] as const),
  ...[getFile, digestFile, gatherFiles].map((one) => [one, () => 'file.read'] as const),
  ...[stagedFile, putFile, keepFile, dropFile, scatterFiles].map((one) => [one, () => 'file.write'] as const),
])

function meant(input: unknown): string {
  return (input as { for?: unknown } | undefined)?.for === 'write' ? 'file.write' : 'file.read'
}

const hubItself = { kind: 'self', id: 'hub', role: 'operator' }

const calls = new Map(hostOperations.filter(({ kind }) => kind === 'call').map((operation) => [operation.name, operation]))

/**
 * The operation that a host is really asked for, and what it is given: its built-in proc `service` answers every call there is, in the name of the hub that
 * asks. Throws `operation.unknown` for one that this hub cannot judge, since it does not know it.
 */
export function askedFor(operation: Operation, input: unknown): { operation: Operation; input: unknown } {
  let asked = operation
  let given = input
  while (asked === callProc) {
    const { data } = callProc.input.safeParse(given)
    // What is no call of a proc is refused by the host.
    if (data?.proc !== 'service') break
    const inner = calls.get(data.method)
    if (!inner) throw failure('operation.unknown', { operation: data.method })
    asked = inner
    given = data.params
  }
  return { operation: asked, input: given }
}

/** Throws `host.untrusted` where this operation begins something that the host's record does not trust it with. */
export function requireTrusted(
  { id, name, trust }: Pick<FleetHost, 'id' | 'name' | 'trust'>,
  operation: Operation,
  input?: unknown,
): void {
  const command = begins.get(operation)?.(input)
  if (command === undefined) return
  const { effect } = decide({ command, hub: 'local', principal: hubItself }, [trustLayer(trust, name)])
  if (effect !== 'allow') throw failure('host.untrusted', { host: name, id, command })
}
