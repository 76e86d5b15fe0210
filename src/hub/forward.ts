// What a host can be asked, answered by this hub: live over the host's link, or from the mirror where the link may be away.
// A run that still waits in the queue is answered from its job. Hosts call themselves `local`; here they get their names.

import type { Caller, CallOptions } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { followEvents, followJournal } from '../contract/event.ts'
import type { Bound, CallContext, Implementation, Principal } from '../contract/implementation.ts'
import { implementation } from '../contract/implementation.ts'
import type { BytesOperation, CallOperation, ItemsOperation, Operation, UploadOperation } from '../contract/operation.ts'
import { hostOperations } from '../contract/operations.ts'
import { feedOutput, followLog, readOutput } from '../contract/output.ts'
import { cancelRun, getRun, isTerminal, listRuns, type Run, writeStdin } from '../contract/run.ts'
import type { FleetHost } from './fleet.ts'
import { waitingRunOperations } from './waiting-run.ts'
import type { Queue } from './queue.ts'

/** Longer than any operation may take by its own limits; a link that dies ends its calls at once anyway. */
const callDeadlineMs = 11 * 60_000

const readings = new Set<Operation>([getRun, listRuns, followEvents, followJournal, readOutput, followLog, feedOutput])
const aboutOneRun = new Set<Operation>([getRun, followEvents, readOutput, followLog, feedOutput, cancelRun, writeStdin])

const hubItself: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(['read', 'operate', 'admin']) }

export interface ForwardTo {
  readonly host: FleetHost
  readonly queue: Queue
  /** What the hub has copied of this host's runs. */
  readonly mirror: Implementation
}

export function forwardTo(to: ForwardTo): Implementation {
  return implementation(...hostOperations.map((operation) => forward(operation, to)))
}

function forward(operation: Operation, to: ForwardTo): Bound {
  const source = async (input: unknown, context: CallContext): Promise<Caller> => {
    if (aboutOneRun.has(operation)) {
      const { run } = input as { run: string }
      const waiting = await waitingRunOperations(to, operation, run, context.signal)
      if (waiting) return direct(waiting, hubItself)
    }
    return readings.has(operation) && to.host.connector.traits.mirrored ? direct(to.mirror, hubItself) : liveCaller(to.host)
  }
  switch (operation.kind) {
    case 'call':
      return bind(operation, async (input, context) => {
        const caller = await source(input, context)
        return named(
          to.host,
          await caller.call(operation as CallOperation, input as never, { ...options(context), timeoutMs: callDeadlineMs }),
        )
      })
    case 'upload':
      return bind(operation, async (input, context, body) => {
        const caller = await source(input, context)
        return caller.upload(operation as UploadOperation, input as never, body, options(context))
      })
    case 'items':
      return bind(operation, async function* (input, context) {
        const caller = await source(input, context)
        yield* caller.items(operation as ItemsOperation, input as never, options(context))
      })
    case 'bytes':
      return bind(operation, async function* (input, context) {
        const caller = await source(input, context)
        yield* caller.bytes(operation as BytesOperation, input as never, options(context))
      })
  }
}

function bind(operation: Operation, handle: Bound['handle']): Bound {
  return { operation, handle }
}

function options({ signal, progress }: CallContext): CallOptions {
  return { signal, onProgress: progress }
}

/** The way to ask the host itself. Throws `host.offline`. */
export function liveCaller({ name, connector }: FleetHost): Caller {
  const { state } = connector
  if (state.status === 'online') return state.caller
  throw failure('host.offline', { host: name, reason: state.status === 'offline' ? state.reason : 'it has never dialled in' })
}

/** An answer with this hub's name for the host in every run of it, and since when the host cannot be reached. */
function named(host: FleetHost, answer: unknown): unknown {
  if (isRun(answer)) return nameRun(host, answer)
  if (isRunList(answer)) return { ...answer, runs: answer.runs.map((run) => nameRun(host, run)) }
  return answer
}

export function nameRun(host: FleetHost, run: Run): Run {
  const { state } = host.connector
  const unreachableSince = state.status === 'online' || isTerminal(run.state) ? null : state.since
  return { ...run, host: host.name, unreachableSince }
}

function isRun(answer: unknown): answer is Run {
  return typeof answer === 'object' && answer !== null && 'id' in answer && 'state' in answer && 'lastEvent' in answer
}

function isRunList(answer: unknown): answer is { runs: Run[] } {
  return typeof answer === 'object' && answer !== null && 'runs' in answer && Array.isArray(answer.runs)
}
