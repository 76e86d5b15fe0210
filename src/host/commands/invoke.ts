// An invocation on its host, in this order: there is such a command and who asks may know of it; its parameters are what its schema says;
// the policy decides; where it says so, a person is asked; it runs; its result is what its schema says. There is no other way to a command.

import type { CommandEntry, invokeCommand, listCommands } from '../../contract/command.ts'
import { failure, hasCode } from '../../contract/errors.ts'
import type { CallContext, Principal } from '../../contract/implementation.ts'
import type { OutputOf, ParsedOf } from '../../contract/operation.ts'
import type { OpenPolicy } from '../policy.ts'
import { type Asking, requireApproval } from './approvals.ts'
import { wrongParams } from './builtin.ts'
import type { Catalog } from './catalog.ts'
import type { HostCommand, Invocation, Prepared } from './command.ts'
import { sameKey } from './same-key.ts'

const mostAtOnce = 256

export interface Commands {
  /** Takes up what was declared anew, or otherwise, since. */
  refresh(): Promise<void>
  list(principal: Principal): Promise<OutputOf<typeof listCommands>>
  /** How many of them this one may know of. */
  count(principal: Principal): Promise<number>
  invoke(input: ParsedOf<typeof invokeCommand>, context: CallContext): Promise<OutputOf<typeof invokeCommand>>
  /** Ends what is under way; resolves when it has ended. */
  close(): Promise<void>
}

export interface CommandsOf {
  readonly catalog: Catalog
  readonly policy: Pick<OpenPolicy, 'decide' | 'exposure'>
  readonly approvals: Asking
}

export function openCommands({ catalog, policy, approvals }: CommandsOf): Commands {
  const closing = new AbortController()
  const underWay = new Set<Promise<unknown>>()
  const keyed = sameKey()

  function entryFor(command: HostCommand, principal: Principal): CommandEntry[] {
    const { effect, never } = policy.exposure({ command: command.entry.name, principal })
    return never || effect === 'deny' ? [] : [{ ...command.entry, exposure: effect }]
  }

  const visible = (principal: Principal) => catalog.all().flatMap((command) => entryFor(command, principal))

  async function invoke(input: ParsedOf<typeof invokeCommand>, { principal, signal, progress, decided }: CallContext) {
    const { command: name, params: given, key, session } = input
    await catalog.refresh()
    const command = catalog.find(name)
    // The same answer for both: what is not exposed is nobody's to find out about.
    if (!command || policy.exposure({ command: name, principal }).never) throw failure('policy.denied', { command: name })
    const checks = await catalog.checks(command)
    const problem = checks.params(given)
    if (problem !== undefined) throw wrongParams(name, problem)
    const prepared = command.prepare(given)
    // Its own: a file may have put another command under this name meanwhile.
    const nature = { sensitive: command.entry.sensitive, hidden: command.hidden ?? false }
    const asked = { command: name, params: prepared.shown.params, principal, nature, ...(session !== undefined && { session }) }
    const { effect, by } = policy.decide(asked)
    if (effect === 'deny') throw failure('policy.denied', { command: name })

    async function carryOut(invocation: Invocation, begun: () => void): Promise<unknown> {
      const within: Invocation = { ...invocation, signal: AbortSignal.any([invocation.signal, closing.signal]) }
      if (effect === 'ask') {
        const yes = await approved(prepared, within)
        // It may have been narrowed while somebody thought about it.
        if (policy.decide(asked).effect === 'deny') throw failure('policy.denied', { command: name })
        // On disk before it runs.
        await decided?.(yes, { durable: true })
      }
      if (underWay.size >= mostAtOnce) throw failure('invoke.busy', { most: mostAtOnce })
      begun()
      const result = await counted(prepared.run(within))
      const wrong = checks.result(result)
      if (wrong !== undefined) throw failure('command.result', { command: name, problem: wrong })
      return result
    }

    const approved = ({ shown }: Prepared, waiting: Invocation) =>
      requireApproval(
        approvals,
        {
          shown,
          command: name,
          session: command.eachTime ? null : (session ?? null),
          reason: input.reason ?? null,
          cause: by.why,
          asker: input.asker ?? null,
          principal,
        },
        waiting,
        (put) => void decided?.(put),
      )

    const invocation = { signal, progress, asker: input.asker ?? null }
    if (key === undefined) return { result: await carryOut(invocation, () => undefined) }
    const asker = JSON.stringify([principal.kind, principal.id, input.asker ?? null])
    const request = { params: given, session: session ?? null }
    return { result: await keyed.once({ asker, key, command: name, request }, invocation, carryOut) }
  }

  async function counted<T>(work: Promise<T>): Promise<T> {
    underWay.add(work)
    try {
      return await work
    } finally {
      underWay.delete(work)
    }
  }

  return {
    refresh: () => catalog.refresh(),
    async list(principal) {
      await catalog.refresh()
      return { commands: visible(principal), corrupt: [...catalog.corrupt()] }
    },
    async count(principal) {
      await catalog.refresh()
      try {
        return visible(principal).length
      } catch (error) {
        // A policy that cannot be read exposes nothing.
        if (hasCode(error, 'policy.unreadable')) return 0
        throw error
      }
    },
    invoke,
    async close() {
      closing.abort(failure('host.stopped'))
      await Promise.allSettled(underWay)
    },
  }
}
