// The `process` manager: a proc that is a process of its own, which calls back over the backend socket.
//
//     starting ─its own call back─▶ running ─stop─▶ stopping ─end─▶ stopped
//         └─no call back in time─▶ stopping ─end─▶ failed      an end unasked for: failed; with code 0, stopped
//
// Only the process's end, as processes.ts reports it, makes it stopped or failed; that happens once.

import { join } from 'node:path'
import type { Logger } from 'pino'
import { failure, hasCode, type MusterError } from '../../contract/errors.ts'
import type { CallContext } from '../../contract/implementation.ts'
import { pause } from '../../contract/pause.ts'
import type { ProcState, ProcStatus } from '../../contract/proc.ts'
import type { Peer } from '../../wire/peer.ts'
import { setAlarm } from '../alarm.ts'
import type { HostHome } from '../home.ts'
import type { Ended, Found, Process, Processes } from '../processes.ts'
import { climb, rungsFor } from '../stop-ladder.ts'
import { describeEnd, neverStarted, type ProcEnd } from './end.ts'
import { endProc, messageProc } from './message.ts'
import { isLive, type Proc } from './proc.ts'
import { type ProcRecord, procDir, saveProcRecord } from './record.ts'
import { markOf, processIdOf, requestFor } from './spawn.ts'
import { readTail } from './tail.ts'

export interface ProcessProc extends Proc {
  readonly record: ProcRecord
  /** Resolves once it is known whether there is a process. */
  readonly found: Promise<unknown>
  /** Takes the channel of the process that has proven to be this proc. A new one replaces the old. */
  ready(peer: Peer): void
  /** Lets go of the process, which goes on. */
  close(): void
}

export interface ProcHouse {
  readonly host: string
  readonly home: HostHome
  readonly backendPath: string
  readonly processes: Processes
  readonly log: Logger
}

const notReadyGraceMs = 2_000
const interruptedGraceMs = 10_000
const followAgainMs = 5_000
const askTimeoutMs = 5_000
/** A channel closes a little before the exit is recorded: this long a failed call waits to say how the proc ended. */
const exitNewsMs = 50

/** `secret` is given for a new proc; without it the process that an earlier host process started is found again. */
export function openProc(first: ProcRecord, secret: string | undefined, house: ProcHouse): ProcessProc {
  const { home, processes, log } = house
  const { name, generation, spec } = first
  let record = first
  let status: ProcStatus = 'starting'
  let process: Process | undefined
  let seen: ProcEnd | undefined
  let stderrTail = ''
  let channel: Peer | undefined
  let notReady = false
  const started = Promise.withResolvers<Process | undefined>()
  const readied = Promise.withResolvers<void>()
  const over = new AbortController()
  const closing = new AbortController()
  const ended = Promise.withResolvers<ProcState>()

  const state = (): ProcState => ({
    name,
    manager: 'process',
    status,
    generation,
    pid: process?.identity.pid ?? null,
    startedAt: process?.startedAt ?? seen?.startedAt ?? null,
    endedAt: seen?.endedAt ?? null,
    exit: seen?.exit ?? null,
    stderrTail,
  })

  const callOff = setAlarm(spec.readyTimeoutMs, () => {
    if (status !== 'starting') return
    notReady = true
    log.warn({ proc: name, ms: spec.readyTimeoutMs }, 'a proc did not call back')
    climbDown(notReadyGraceMs)
  })

  /** Only a process's end, or that it was never started, ends this; whatever else fails is tried again. */
  async function live(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        return end(describeEnd(await untilEnded()))
      } catch (error) {
        if (closing.signal.aborted) return
        if (hasCode(error, 'proc.keeper') || hasCode(error, 'process.descriptors')) return end(neverStarted(error.message))
        log.error({ proc: name, error }, 'a proc could not be followed; trying again')
        await pause(followAgainMs, closing.signal)
      }
    }
  }

  async function untilEnded(): Promise<Ended | undefined> {
    const found = await startOrFind()
    if (found.found !== 'process') return found.found === 'ended' ? found.ended : undefined
    process = found.process
    started.resolve(process)
    // A stop that the end of an earlier host process interrupted.
    if (record.stopAsked && status === 'starting') climbDown(interruptedGraceMs)
    return process.ended
  }

  function startOrFind(): Promise<Found> {
    if (secret === undefined) return processes.find(processIdOf(record), markOf(record, house))
    return processes.start(requestFor(record, secret, house))
  }

  function end(end: ProcEnd): void {
    callOff()
    seen = end
    stderrTail = readTail(join(procDir(home, record), 'stderr'))
    const wanted = record.stopAsked || (end.exit?.code === 0 && !notReady)
    status = wanted ? 'stopped' : 'failed'
    log.info({ proc: name, status, how: end.how }, 'a proc has ended')
    over.abort()
    started.resolve(process)
    channel?.close(failure('proc.ended', { proc: name, how: end.how }))
    ended.resolve(state())
  }

  function climbDown(graceMs: number): void {
    status = 'stopping'
    void climb({
      rungs: rungsFor({ canAsk: channel !== undefined, graceMs }),
      take: async (step) => {
        if (step === 'ask') await channel?.call(endProc, {}, { timeoutMs: askTimeoutMs })
        else await (await started.promise)?.signal(step)
      },
      onFailed: (step, error) => log.debug({ proc: name, step, error }, 'a step of the stop ladder failed'),
      over: over.signal,
    })
  }

  async function call(method: string, params: unknown, context: CallContext): Promise<unknown> {
    await untilReady(context.signal)
    const peer = channel
    if (!peer) throw callFailure()
    try {
      return await peer.call(messageProc, { method, params }, { signal: context.signal, onProgress: context.progress })
    } catch (error) {
      if (!hasCode(error, 'wire.closed') && !hasCode(error, 'proc.ended')) throw error
      await Promise.race([ended.promise, pause(exitNewsMs, context.signal)])
      throw callFailure()
    }
  }

  /** Waits for the call back of one that is starting, or that has lost its channel when the host was restarted. */
  async function untilReady(signal: AbortSignal): Promise<void> {
    if (channel || !isLive({ status })) return
    const waiting = new AbortController()
    const patience = AbortSignal.any([signal, waiting.signal])
    await Promise.race([readied.promise, ended.promise, pause(spec.readyTimeoutMs, patience)])
    waiting.abort()
  }

  function callFailure(): MusterError {
    if (notReady || status === 'starting')
      return failure('proc.not_ready', { proc: name, ms: spec.readyTimeoutMs, stderr: stderrTail })
    return failure('proc.ended', { proc: name, how: seen?.how ?? 'its channel closed' })
  }

  void live()

  return {
    get record() {
      return record
    },
    found: started.promise,
    get state() {
      return state()
    },
    call,
    ready(peer) {
      if (!isLive({ status })) throw failure('proc.ended', { proc: name, how: seen?.how ?? 'it has ended' })
      const replaced = channel
      channel = peer
      replaced?.close(failure('wire.closed', { reason: 'the proc called back again' }))
      void peer.closed.then(() => {
        if (channel === peer) channel = undefined
      })
      if (status === 'starting') status = 'running'
      callOff()
      readied.resolve()
    },
    async stop(graceMs) {
      if (!isLive({ status })) return state()
      if (!record.stopAsked) {
        const asked = { ...record, stopAsked: true }
        saveProcRecord(home, asked)
        record = asked
        climbDown(graceMs)
      }
      return ended.promise
    },
    close() {
      closing.abort()
      callOff()
      over.abort()
    },
  }
}
