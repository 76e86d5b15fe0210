// A host's front door: every operation that it can be asked, routed to its runs, its procs or itself.
// It never learns how it was reached; who asks is in the call's context, and what this host's policy allows is asked here.

import { invokeCommand, listCommands } from '../contract/command.ts'
import { getHostInfo, type HostInfo, shutdownHost } from '../contract/host.ts'
import { type Bound, type Implementation, implement, implementation, type Principal } from '../contract/implementation.ts'
import { testPolicy } from '../contract/policy.ts'
import { applyProc, callProc, getProc, listProcs, stopProc } from '../contract/proc.ts'
import { cancelRun, pauseRun, resumeRun, startRun, writeStdin } from '../contract/run.ts'
import type { Commands } from './commands/invoke.ts'
import { type OpenPolicy, traceFor } from './policy.ts'
import type { ProcTable } from './procs/table.ts'
import type { Runs } from './runs.ts'

export interface BehindTheDoor {
  readonly policy: OpenPolicy
  readonly runs: Runs
  /** The operations that read runs, their output, and what this node tells of itself. */
  readonly readings: readonly Bound[]
  readonly procs: ProcTable
  readonly commands: Commands
  /** As it is for who asks. */
  readonly info: (principal: Principal) => Promise<HostInfo>
  /** How a hub reads and answers what this host asks people. */
  readonly approvals: readonly Bound[]
  /** The operations that read and write files. */
  readonly files: readonly Bound[]
  readonly shutDown: (options: { timeoutMs: number; concurrency: number }) => Promise<{ ended: number }>
  /** Throws `host.not_ready` or `host.stopped` while nothing new may be begun. */
  readonly requireUp: () => void
}

export function openFrontDoor({
  policy,
  runs,
  readings,
  procs,
  commands,
  approvals,
  files,
  info,
  shutDown,
  requireUp,
}: BehindTheDoor): Implementation {
  return implementation(
    implement(getHostInfo, (_, { principal }) => info(principal)),
    implement(shutdownHost, (options) => shutDown(options)),

    implement(testPolicy, async (asked, { principal }) => {
      await commands.refresh()
      const { session, ...rest } = asked
      return traceFor(principal, policy.decide({ ...rest, ...(session !== undefined && { session }), principal }))
    }),

    implement(listCommands, (_, { principal }) => commands.list(principal)),
    implement(invokeCommand, async (input, context) => {
      requireUp()
      return commands.invoke(input, context)
    }),

    implement(startRun, async (request, { principal }) => {
      requireUp()
      policy.requireAllowed({ command: 'runs', params: request.spec, principal })
      return runs.start(request)
    }),
    implement(cancelRun, ({ run, graceMs }) => runs.cancel(run, graceMs)),
    implement(pauseRun, ({ run }) => runs.pause(run)),
    implement(resumeRun, ({ run }) => runs.resume(run)),
    // A shell that was begun does what it is fed: to feed is to begin.
    implement(writeStdin, async ({ run, offset, end }, { principal, signal }, body) => {
      policy.requireAllowed({ command: 'runs', params: await runs.spec(run), principal })
      return runs.writeStdin({ run, offset, end, signal }, body)
    }),
    ...readings,
    ...approvals,
    ...files,

    implement(applyProc, async ({ proc, spec }, { principal }) => {
      requireUp()
      policy.requireAllowed({ command: 'procs', params: { proc, ...spec }, principal })
      return procs.apply(proc, spec)
    }),
    implement(stopProc, ({ proc, graceMs }) => procs.stop(proc, graceMs)),
    implement(getProc, async ({ proc }) => procs.get(proc)),
    implement(listProcs, async ({ all }) => ({ procs: procs.list(all) })),
    implement(callProc, async ({ proc, method, params }, context) => {
      requireUp()
      // What `service` is asked is judged as that; any other does what it is told, as a shell does what it is fed.
      if (proc !== 'service')
        policy.requireAllowed({ command: 'procs', params: { proc, ...procs.specOf(proc) }, principal: context.principal })
      return procs.call({ proc, method, params }, context)
    }),
  )
}
