// The procs of a host by name: what the front door routes to. Making a proc is idempotent by name and spec.

import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { failure } from '../../contract/errors.ts'
import type { CallContext } from '../../contract/implementation.ts'
import type { ProcSpec, ProcState } from '../../contract/proc.ts'
import type { Peer } from '../../wire/peer.ts'
import { isLive, type Proc } from './proc.ts'
import { openProc, type ProcessProc, type ProcHouse } from './process.ts'
import { hashSecret, isSecretOf, loadProcRecords, type ProcRecord, removeProcDir, saveProcRecord } from './record.ts'

export interface ProcTable {
  apply(name: string, spec: ProcSpec): ProcState
  stop(name: string, graceMs: number): Promise<ProcState>
  get(name: string): ProcState
  list(all: boolean): ProcState[]
  /** What a process was made of; undefined for a built-in proc, and for none. */
  specOf(name: string): ProcSpec | undefined
  call(to: { proc: string; method: string; params: unknown }, context: CallContext): Promise<unknown>
  /** A process says over the backend that it is this proc. Throws `proc.unknown` unless its secret proves it. */
  ready(claim: { proc: string; secret: string }, peer: Peer): void
  /** Takes up what an earlier host process left. */
  adopt(): Promise<void>
  /** Stops all processes, so many at a time; answers how many have ended. */
  stopAll(options: { timeoutMs: number; concurrency: number }): Promise<number>
  /** Lets go of the procs, which go on. */
  close(): void
}

/** `builtIn` are this process's own procs; their names are taken. */
export function openProcs(house: ProcHouse, builtIn: readonly Proc[]): ProcTable {
  const local = new Map(builtIn.map((proc) => [proc.state.name, proc]))
  const processes = new Map<string, ProcessProc>()
  const find = (name: string): Proc | undefined => local.get(name) ?? processes.get(name)

  function apply(name: string, spec: ProcSpec): ProcState {
    if (local.has(name)) throw failure('proc.conflict', { proc: name })
    const known = processes.get(name)
    if (known && isLive(known.state)) {
      if (isDeepStrictEqual(known.record.spec, spec)) return known.state
      throw failure('proc.conflict', { proc: name })
    }
    const made = make(name, spec, (known?.record.generation ?? 0) + 1)
    if (known) removeProcDir(house.home, known.record)
    return made.state
  }

  function make(name: string, spec: ProcSpec, generation: number): ProcessProc {
    const secret = randomBytes(32).toString('base64url')
    const record: ProcRecord = { name, generation, spec, secretHash: hashSecret(secret), stopAsked: false }
    saveProcRecord(house.home, record)
    const proc = openProc(record, secret, house)
    processes.set(name, proc)
    return proc
  }

  async function stopAll({ timeoutMs, concurrency }: { timeoutMs: number; concurrency: number }): Promise<number> {
    const waiting = [...processes.values()].filter((proc) => isLive(proc.state))
    let ended = 0
    const stopNext = async (): Promise<void> => {
      for (let proc = waiting.shift(); proc; proc = waiting.shift()) {
        await proc.stop(timeoutMs)
        ended += 1
      }
    }
    await Promise.all(Array.from({ length: concurrency }, stopNext))
    return ended
  }

  return {
    apply,
    stopAll,
    stop: async (name, graceMs) => (await find(name)?.stop(graceMs)) ?? absent(name),
    get: (name) => find(name)?.state ?? absent(name),
    list: (all) => [...local.values(), ...processes.values()].map((proc) => proc.state).filter((state) => all || isLive(state)),
    specOf: (name) => processes.get(name)?.record.spec,
    async call({ proc: name, method, params }, context) {
      const proc = find(name)
      if (!proc) throw failure('proc.unknown', { proc: name })
      return proc.call(method, params, context)
    },
    ready({ proc: name, secret }, peer) {
      const proc = processes.get(name)
      if (!proc || !isSecretOf(proc.record, secret)) throw failure('proc.unknown', { proc: name })
      proc.ready(peer)
    },
    async adopt() {
      for (const record of loadProcRecords(house.home)) processes.set(record.name, openProc(record, undefined, house))
      await Promise.all([...processes.values()].map((proc) => proc.found))
    },
    close() {
      for (const proc of processes.values()) proc.close()
    },
  }
}

function absent(name: string): ProcState {
  return {
    name,
    manager: 'process',
    status: 'absent',
    generation: 0,
    pid: null,
    startedAt: null,
    endedAt: null,
    exit: null,
    stderrTail: '',
  }
}
