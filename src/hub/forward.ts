// What a host can be asked, answered by this hub: live over the host's link, or from the mirror where the link may be away.
// A run that still waits in the queue is answered from its job. Hosts call themselves `local`; here they get their names.

import { resolveApproval } from '../contract/approval.ts'
import { listArtifacts, readArtifact } from '../contract/artifact.ts'
import type { Caller, CallOptions } from '../contract/caller.ts'
import { invokeCommand } from '../contract/command.ts'
import { direct } from '../contract/direct.ts'
import { failure, hasCode } from '../contract/errors.ts'
import { followEvents, followJournal } from '../contract/event.ts'
import { askForFiles } from '../contract/file.ts'
import type { Bound, CallContext, Implementation } from '../contract/implementation.ts'
import { describeIssue, implementation, requireScope } from '../contract/implementation.ts'
import type {
  BytesOperation,
  CallOperation,
  ItemsOperation,
  Operation,
  ParsedOf,
  UploadOperation,
} from '../contract/operation.ts'
import { hostOperations } from '../contract/operations.ts'
import { feedOutput, followLog, readOutput } from '../contract/output.ts'
import { type Decision, testPolicy } from '../contract/policy.ts'
import { cancelRun, getRun, isTerminal, listRuns, pauseRun, type Run, resumeRun, startRun, writeStdin } from '../contract/run.ts'
import type { HubApprovals } from './approvals/approvals.ts'
import type { FleetHost } from './fleet.ts'
import { invokeOn } from './invoke.ts'
import { type KnownCommands, knownCommands } from './known-commands.ts'
import { type LastKnown, lastKnown } from './last-known.ts'
import type { Mirror } from './mirror.ts'
import { withOwnLayers } from './policy-test.ts'
import type { Queue } from './queue.ts'
import { askedFor, requireTrusted } from './trust.ts'
import { type AboutOneRun, runOfJob, waitingRunOperations } from './waiting-run.ts'
import { hubItself, personOf } from './who-asks.ts'

/** Longer than any operation may take by its own limits; a link that dies ends its calls at once anyway. */
const callDeadlineMs = 11 * 60_000
const readableDeadlineMs = 5_000

const readings = new Set<Operation>([
  getRun,
  listRuns,
  followEvents,
  followJournal,
  readOutput,
  followLog,
  feedOutput,
  listArtifacts,
  readArtifact,
])
const aboutOneRun = new Set<Operation>([
  getRun,
  followEvents,
  readOutput,
  followLog,
  feedOutput,
  listArtifacts,
  readArtifact,
  cancelRun,
  pauseRun,
  resumeRun,
  writeStdin,
])

const holdingUp = new Set<Operation>([pauseRun, resumeRun])

export interface ForwardTo {
  readonly host: FleetHost
  readonly queue: Queue
  readonly mirror: Mirror
  /** Answers what this host asks; there is no second way to. */
  readonly answerOf: HubApprovals['answerOf']
  /** Aborts, with why, once nobody can be answered any more. */
  readonly gone: AbortSignal
}

/** A forwarder, with what it remembers of the host. */
interface Forwarding extends ForwardTo {
  readonly known: LastKnown
  readonly commands: KnownCommands
}

export function forwardTo(asked: ForwardTo): Implementation {
  const to = { ...asked, known: lastKnown(), commands: knownCommands() }
  const copy = to.mirror.readings(to.host.id)
  const bound = hostOperations.map((operation) => forward(operation, to, copy))
  // The others end with the link that carries them.
  return implementation(...bound.map((one) => (mayWait(one.operation) ? endedBy(to.gone, one) : one)))
}

function forward(operation: Operation, to: Forwarding, copy: Implementation): Bound {
  const source = async (input: unknown, context: CallContext): Promise<Caller> => {
    if (aboutOneRun.has(operation)) {
      const about = input as AboutOneRun
      const waiting = await waitingRunOperations(to, operation, about, context.signal)
      if (waiting && !(holdingUp.has(operation) && (await isTold(about, context)))) return direct(waiting, hubItself)
    }
    return sourceOf(operation)
  }
  const sourceOf = (asked: Operation) =>
    readings.has(asked) && to.host.connector.traits.mirrored ? direct(copy, hubItself) : liveCaller(to.host, asked)
  /** Whether the host has told of the run before its job is marked as started: what lists show as running can be held up. */
  const isTold = async ({ run }: AboutOneRun, { signal }: CallContext): Promise<boolean> => {
    try {
      await sourceOf(getRun).call(getRun, { run }, { signal })
      return true
    } catch (error) {
      if (hasCode(error, 'run.unknown') || hasCode(error, 'host.offline')) return false
      throw error
    }
  }
  switch (operation.kind) {
    case 'call':
      return bind(operation, async (input, context) => {
        const asked = askedFor(operation, input)
        requireScope(asked.operation, context.principal)
        requireTrusted(to.host, asked.operation, asked.input)
        if (asked.operation === invokeCommand) {
          const invocation = parsedFor(invokeCommand, asked.input)
          return invokeOn(to.host, to.commands, { ...invocation, asker: askerOf(context, invocation) }, context)
        }
        if (asked.operation === resolveApproval && context.principal.kind !== 'self')
          return to.answerOf(to.host.id, parsedFor(resolveApproval, asked.input), context)
        if (asked.operation === askForFiles) {
          const question = parsedFor(askForFiles, asked.input)
          const how = { ...options(context), timeoutMs: callDeadlineMs }
          return sourceOf(askForFiles).call(askForFiles, { ...question, asker: askerOf(context, question) }, how)
        }
        const answer = await asLastKnown(to, operation, input, async () => {
          const caller = await source(input, context)
          return caller.call(operation as CallOperation, input as never, {
            ...options(context),
            timeoutMs: callDeadlineMs,
          })
        })
        if (operation === testPolicy)
          return withOwnLayers(to.host, (input as ParsedOf<typeof testPolicy>).command, context.principal, answer as Decision)
        if (operation === startRun) await readable(to, input as AboutOneRun, context.signal)
        return named(to.host, answer)
      })
    case 'upload':
      return bind(operation, async (input, context, body) => {
        requireTrusted(to.host, operation, input)
        const caller = await source(input, context)
        return caller.upload(operation as UploadOperation, input as never, body, options(context))
      })
    case 'items':
      return bind(operation, async function* (input, context) {
        requireTrusted(to.host, operation, input)
        const caller = await source(input, context)
        yield* caller.items(operation as ItemsOperation, input as never, options(context))
      })
    case 'bytes':
      return bind(operation, async function* (input, context) {
        requireTrusted(to.host, operation, input)
        const caller = await source(input, context)
        yield* caller.bytes(operation as BytesOperation, input as never, options(context))
      })
  }
}

/** Whatever somebody says that he is; what the hub asks by itself is in nobody's name. */
function askerOf({ principal }: CallContext, input: unknown): string | undefined {
  return principal.kind === 'self' ? (input as { asker?: string }).asker : personOf(principal)
}

/** What is asked for, also where it came as a call of the host's built-in proc `service`. Throws `input.invalid`. */
function parsedFor<O extends CallOperation>(operation: O, input: unknown): ParsedOf<O> {
  const parsed = operation.input.safeParse(input)
  if (parsed.success) return parsed.data as ParsedOf<O>
  throw failure('input.invalid', { what: operation.name, problem: parsed.error.issues.map(describeIssue).join('; ') })
}

/** A run whose host cannot be asked is told as it was when it last could. */
async function asLastKnown(
  { host, queue, known }: Forwarding,
  operation: Operation,
  input: unknown,
  ask: () => Promise<unknown>,
): Promise<unknown> {
  if (host.connector.traits.mirrored) return ask()
  try {
    const answer = await ask()
    if (isRun(answer)) known.note(answer)
    return answer
  } catch (error) {
    if (operation !== getRun || !hasCode(error, 'host.offline')) throw error
    const { run } = input as AboutOneRun
    const job = await queue.look(run)
    const heard = known.of(run)
    const ofJob = job?.host === host.id ? runOfJob(host, job) : undefined
    const last = ofJob && isTerminal(ofJob.state) ? ofJob : (heard ?? ofJob)
    if (!last) throw error
    return last
  }
}

/** Who has started a run may read it: where runs are read from the mirror, the answer waits until it is there, or for a while. */
async function readable({ host, mirror }: ForwardTo, { run }: AboutOneRun, signal: AbortSignal): Promise<void> {
  if (!host.connector.traits.mirrored) return
  try {
    await mirror.holds(host.id, run, AbortSignal.any([signal, AbortSignal.timeout(readableDeadlineMs)]))
  } catch {
    // It was started, which is what was asked for; a copy that is late, or a link that broke meanwhile, does not undo that.
  }
}

/** For more than the host's answer: for a job to begin, or for news in the mirror. */
function mayWait(operation: Operation): boolean {
  return aboutOneRun.has(operation) || readings.has(operation)
}

/** The same answers until `gone` aborts; then every call and stream ends with its reason. */
function endedBy(gone: AbortSignal, { operation, handle }: Bound): Bound {
  const reason = (error: unknown) => (gone.aborted ? gone.reason : error)
  const within = (context: CallContext) => ({ ...context, signal: AbortSignal.any([context.signal, gone]) })
  if (operation.kind === 'call' || operation.kind === 'upload') {
    return bind(operation, async (input, context, body) => {
      try {
        return await handle(input, within(context), body)
      } catch (error) {
        throw reason(error)
      }
    })
  }
  return bind(operation, async function* (input, context, body) {
    try {
      yield* handle(input, within(context), body) as AsyncIterable<unknown>
    } catch (error) {
      throw reason(error)
    }
  })
}

function bind(operation: Operation, handle: Bound['handle']): Bound {
  return { operation, handle }
}

function options({ signal, progress }: CallContext): CallOptions {
  return { signal, onProgress: progress }
}

/** The way to ask the host itself. Throws `host.offline`. */
function liveCaller({ name, connector }: FleetHost, operation: Operation): Caller {
  const { state } = connector
  if (state.status === 'online') return state.caller
  // Where questions lie waiting for the host, a run waits in the queue alone, and only for who said so.
  if (state.caller && operation !== startRun) return state.caller
  throw failure('host.offline', { host: name, reason: state.reason ?? 'it has never been reached' })
}

/** An answer with this hub's name for the host in every run of it, and since when the host cannot be reached. */
function named(host: FleetHost, answer: unknown): unknown {
  if (isRun(answer)) return nameRun(host, answer)
  if (isRunList(answer)) return { ...answer, runs: answer.runs.map((run) => nameRun(host, run)) }
  return answer
}

function nameRun(host: FleetHost, run: Run): Run {
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
