// An invocation on its way to one host: what was never sent is told from what was sent and not answered.

import type { Caller } from '../contract/caller.ts'
import { invokeCommand } from '../contract/command.ts'
import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import { type CallContext, requireScope } from '../contract/implementation.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { type FleetHost, isLocal } from './fleet.ts'
import type { KnownCommands } from './known-commands.ts'

/** An approval may take ten minutes, and what it lets run ten more. */
const deadlineMs = 21 * 60_000

type Input = ParsedOf<typeof invokeCommand>

/** Throws `invoke.not_sent`, `invoke.no_answer`, and what the host says. */
export async function invokeOn(
  host: FleetHost,
  known: KnownCommands,
  input: Input,
  { principal, signal, progress }: CallContext,
): Promise<OutputOf<typeof invokeCommand>> {
  const { command, params } = input
  // The hub lends its own host what only administrators may have.
  if (isLocal(host) && command.startsWith('fleet.')) requireScope({ name: command, scope: 'admin' }, principal)
  const caller = callerOf(host, command)
  // A host that polls is asked once: its own check comes with its answer.
  const check = async (part: 'params' | 'result', value: unknown) =>
    host.connector.traits.deferred ? undefined : known.problem(caller, command, part, value, signal)
  const problem = await check('params', params).catch((error) => {
    throw notSent(host, command, asMusterError(error))
  })
  if (problem !== undefined) throw failure('input.invalid', { what: `what ${command} was given`, problem })
  const answer = await send(host, caller, input, { signal, onProgress: progress })
  const wrong = await check('result', answer.result).catch((error) => {
    throw failure('invoke.no_answer', { host: host.name, command, reason: reasonOf(asMusterError(error)) })
  })
  if (wrong !== undefined) throw failure('command.result', { command, problem: wrong })
  return answer
}

async function send(
  { name: host }: FleetHost,
  caller: Caller,
  input: Input,
  options: { signal: AbortSignal; onProgress: (value: unknown) => void },
): Promise<OutputOf<typeof invokeCommand>> {
  const { command } = input
  try {
    return await caller.call(invokeCommand, input, { ...options, signal: untilLeft(options.signal), timeoutMs: deadlineMs })
  } catch (thrown) {
    const error = asMusterError(thrown)
    if (options.signal.aborted) throw error
    if (neverSent.has(error.code)) throw failure('invoke.not_sent', { host, command, reason: reasonOf(error) }, { cause: error })
    if (notAnswered.has(error.code))
      throw failure('invoke.no_answer', { host, command, reason: reasonOf(error) }, { cause: error })
    throw error
  }
}

/** A hub that closes cancels nothing at its hosts, as one that is killed does not: what waits for approval there goes on waiting. */
function untilLeft(signal: AbortSignal): AbortSignal {
  const left = new AbortController()
  const leave = () => {
    if (!hasCode(signal.reason, 'wire.closed')) left.abort(signal.reason)
  }
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  return left.signal
}

const neverSent: ReadonlySet<string> = new Set(['host.offline', 'wire.overloaded'])
const notAnswered: ReadonlySet<string> = new Set(['wire.closed', 'call.deadline'])

/** Throws `invoke.not_sent`. */
function callerOf({ name: host, connector: { state } }: FleetHost, command: string): Caller {
  if (state.status === 'online') return state.caller
  throw failure('invoke.not_sent', { host, command, reason: state.reason ?? 'it has never been reached' })
}

/** The catalog could not be read: whatever the reason, nothing was begun. */
function notSent({ name: host }: FleetHost, command: string, error: MusterError): MusterError {
  const isRefusal = error.code === 'call.cancelled' || error.code.startsWith('auth.') || error.code === 'host.token_role'
  return isRefusal ? error : failure('invoke.not_sent', { host, command, reason: reasonOf(error) }, { cause: error })
}

function reasonOf({ message }: MusterError): string {
  return message.replace(/\.$/, '')
}
