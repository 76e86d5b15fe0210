// One run that has not ended, while this host is open: what may happen to it, one thing after the other.
// It writes the run's states; how the run is carried (a command's process, a worker in this process) is its carrier's business.

import type { Logger } from 'pino'
import { failure } from '../contract/errors.ts'
import type { EventBody } from '../contract/event.ts'
import { isTerminal, type Run, type RunSpec, type RunState } from '../contract/run.ts'
import type { Happened } from '../store/runs.ts'
import { setAlarm } from './alarm.ts'
import { type Ending, endingEvents, type StopReason, settle, type Times } from './ending.ts'
import type { RunLog } from './run-log.ts'
import { makeQueue } from './serially.ts'

export interface LiveRun {
  readonly id: string
  readonly spec: RunSpec
  readonly run: Run
  /**
   * Says that it is running, unless it is already known to or has been asked to stop. `ageMs`: how long it has been by a clock that
   * nobody sets, where that is known; its timeout counts from there.
   */
  began(pid?: number, at?: string, ageMs?: number): Promise<void>
  emit(body: EventBody): Promise<void>
  /** Asks it to end. Durable when it resolves. A second request changes nothing. Throws `run.ended`. */
  stop(reason: StopReason, graceMs: number): Promise<Run>
  /** Holds it up where it is; done, and durable, when it resolves. Again it changes nothing. Throws `run.ended`, `run.transition`. */
  pause(): Promise<Run>
  /** Lets it go on, likewise. */
  resume(): Promise<Run>
  /** Its process has ended, and the run soon will: nothing is left to hold up, and its time counts no more. */
  processEnded(): void
  /**
   * Ends it. Once; the alarms are off afterwards. `times`: when it really began and ended, where that is known. `before`: what else is
   * told with its end, in the same commit.
   */
  end(ending: Ending, times?: Times, before?: readonly EventBody[]): Promise<void>
  /** Sets who carries out a stop; told at once if one was asked for already. */
  onStop(carryOut: (graceMs: number) => void): void
  /** Sets who holds it up and lets it go on; told at once if it is paused. Without one it cannot be paused. */
  onHold(carryOut: (held: boolean) => Promise<void>): void
  /** Aborted when the run has ended. */
  readonly over: AbortSignal
  /** Calls off what is armed, without ending the run: it goes on when this host does not. */
  letGo(): void
}

/** The grace of a stop that this host itself decides: at a timeout, and when it finds a stop that was interrupted. */
export const defaultGraceMs = 10_000

const stopAgainMs = 5_000

export interface StopRequest {
  readonly reason: StopReason
  readonly graceMs: number
}

/** `takenUp`: it was begun by an earlier host process. */
export function followRun(
  first: Run,
  spec: RunSpec,
  stopped: StopRequest | undefined,
  log: RunLog,
  logger: Logger,
  takenUp = false,
): LiveRun {
  const id = first.id
  const inTurn = makeQueue()
  const over = new AbortController()
  let run = first
  let request = stopped
  let carryOut: ((graceMs: number) => void) | undefined
  let hold: ((held: boolean) => Promise<void>) | undefined

  const append = async (bodies: Happened[]) => {
    run = await log.append(id, bodies)
  }

  function stop(reason: StopReason, graceMs: number): Promise<Run> {
    return inTurn(async () => {
      if (isTerminal(run.state)) throw failure('run.ended', { run: id, state: run.state })
      if (request) return run
      await append([{ type: 'state', state: 'stopping', reason, graceMs }])
      request = { reason, graceMs }
      carryOut?.(graceMs)
      return run
    })
  }

  /** The process that may hold it up: only between its beginning and the request to stop. */
  function holder(to: RunState): (held: boolean) => Promise<void> {
    if (isTerminal(run.state)) throw failure('run.ended', { run: id, state: run.state })
    if (hold && (run.state === 'running' || run.state === 'paused')) return hold
    throw failure('run.transition', { run: id, from: run.state, to })
  }

  /** On record first: a host that is killed in between holds it up when it comes back, and does not leave it standing unknown. */
  function pause(): Promise<Run> {
    return inTurn(async () => {
      const carry = holder('paused')
      if (run.state === 'paused') return run
      await append([{ type: 'state', state: 'paused' }])
      try {
        await carry(true)
      } catch (error) {
        await append([{ type: 'state', state: 'running' }])
        throw error
      }
      return run
    })
  }

  function resume(): Promise<Run> {
    return inTurn(async () => {
      const carry = holder('running')
      if (run.state === 'running') return run
      await carry(false)
      await append([{ type: 'state', state: 'running' }])
      return run
    })
  }

  let callOff = () => {}
  const letGo = () => callOff()
  const armTimeout = (inMs: number) => {
    letGo()
    callOff = setAlarm(inMs, () => {
      stop('timeout', defaultGraceMs).catch((error: unknown) => {
        if (isTerminal(run.state)) return
        logger.error({ run: id, error }, 'a run could not be stopped at its timeout; trying again')
        armTimeout(stopAgainMs)
      })
    })
  }
  const ageByClock = () => (takenUp ? Math.max(0, Date.now() - Date.parse(run.startedAt ?? run.createdAt)) : 0)
  // The process of a command that is taken up says better how long it has been: see `began`.
  if (!takenUp || spec.kind !== 'command') armTimeout(spec.timeoutMs - ageByClock())

  return {
    id,
    spec,
    letGo,
    stop,
    pause,
    resume,
    get run() {
      return run
    },
    over: over.signal,
    began: (pid, at, ageMs) =>
      inTurn(async () => {
        if (isTerminal(run.state)) return
        if (run.state === 'starting')
          await append([{ type: 'state', state: 'running', ...(pid !== undefined && { pid }), ...(at !== undefined && { at }) }])
        armTimeout(spec.timeoutMs - (ageMs ?? ageByClock()))
      }),
    emit: (body) => inTurn(() => append([body])),
    processEnded() {
      hold = undefined
      letGo()
    },
    end: (ending, times, before = []) =>
      inTurn(async () => {
        if (isTerminal(run.state)) return
        const events = endingEvents(run, settle(id, spec, request?.reason, ending), times)
        const told = before.map((body): Happened => ({ ...body, ...(times && { at: times.endedAt }) }))
        await append([...events.slice(0, -1), ...told, ...events.slice(-1)])
        letGo()
        over.abort()
      }),
    onStop(carry) {
      carryOut = carry
      if (request) carry(request.graceMs)
    },
    onHold(carry) {
      hold = carry
      if (run.state !== 'paused') return
      carry(true).catch((error: unknown) => logger.error({ run: id, error }, 'a paused run could not be held up again'))
    },
  }
}
