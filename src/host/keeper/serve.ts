// What the keeper answers: start, signal, write, follow. It knows processes by id and nothing of runs, procs or hubs.

import { join } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { type Implementation, implement, implementation } from '../../contract/implementation.ts'
import type { OutputOf } from '../../contract/operation.ts'
import type { ExitRecord } from './exit-record.ts'
import type { KeeperLog } from './log.ts'
import { type HeldProcess, startProcess } from './process.ts'
import { followProcesses, type SpawnRequest, signalProcess, spawnProcess, writeProcessStdin } from './protocol.ts'
import { readTrace } from './trace.ts'

type Started = OutputOf<typeof spawnProcess>

export interface Keeping {
  readonly offers: Implementation
  readonly held: number
}

/** `home` is the host's; ids are directories below it. `onEmptied` is told when the last process has ended. */
export function keepProcesses(home: string, log: KeeperLog, onEmptied: () => void): Keeping {
  const held = new Map<string, HeldProcess>()
  /** Spawns under way: a repeat waits for the first one's answer. */
  const starting = new Map<string, Promise<Started>>()
  const followers = new Set<(id: string, record: ExitRecord) => void>()

  function start(request: SpawnRequest): Promise<Started> {
    const process = held.get(request.id)
    if (process) return Promise.resolve(startedAs(process))
    const under = starting.get(request.id) ?? startNew(request).finally(() => starting.delete(request.id))
    starting.set(request.id, under)
    return under
  }

  async function startNew(request: SpawnRequest): Promise<Started> {
    const dir = join(home, request.id)
    const trace = readTrace(dir)
    if (trace.found !== 'none') return { trace, held: false }
    const started = await startProcess(dir, request, log)
    if (!started) return { trace: readTrace(dir), held: false }
    if (!('ended' in started)) return { trace: { found: 'ended', record: started }, held: false }
    hold(request.id, started)
    return startedAs(started)
  }

  function hold(id: string, process: HeldProcess): void {
    held.set(id, process)
    void process.ended.then((record) => {
      held.delete(id)
      for (const tell of followers) tell(id, record)
      if (held.size === 0) onEmptied()
    })
  }

  async function* follow(signal: AbortSignal) {
    const ends: { type: 'ended'; id: string; record: ExitRecord }[] = []
    let wake = () => {}
    const tell = (id: string, record: ExitRecord) => {
      ends.push({ type: 'ended', id, record })
      wake()
    }
    followers.add(tell)
    signal.addEventListener('abort', () => wake(), { once: true })
    try {
      for (const [id, { identity }] of [...held]) yield { type: 'held' as const, id, identity }
      yield { type: 'current' as const }
      while (!signal.aborted) {
        yield* ends.splice(0)
        if (ends.length === 0 && !signal.aborted)
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      followers.delete(tell)
    }
  }

  const offers = implementation(
    implement(spawnProcess, (request) => start(request)),
    implement(signalProcess, async ({ id, signal }) => ({ signalled: held.get(id)?.signal(signal) ?? false })),
    implement(writeProcessStdin, async ({ id, ...part }, { signal }, body) => {
      const stdin = held.get(id)?.stdin
      if (!stdin) throw failure('run.stdin_closed', { run: part.run })
      return { written: await stdin.write({ ...part, signal }, body) }
    }),
    implement(followProcesses, (_, { signal }) => follow(signal)),
  )
  return {
    offers,
    get held() {
      return held.size + starting.size
    },
  }
}

function startedAs({ startedAt, identity }: HeldProcess): Started {
  return { trace: { found: 'spawned', startedAt, identity }, held: true }
}
