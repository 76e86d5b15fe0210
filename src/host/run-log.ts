// A host's runs on disk. Everything that changes a run comes through here, so that no reader who sleeps on the bells misses it.

import { failure } from '../contract/errors.ts'
import type { RunEvent } from '../contract/event.ts'
import type { Run, RunSpec } from '../contract/run.ts'
import type { RunBells } from '../store/run-bells.ts'
import {
  type AcceptRequest,
  acceptRun,
  appendEvents,
  getRun,
  getSpec,
  type Happened,
  liveRuns,
  readEvents,
} from '../store/runs.ts'
import type { Store } from '../store/store.ts'

export interface RunLog {
  accept(request: Omit<AcceptRequest, 'host' | 'at'>): Promise<{ run: Run; created: boolean }>
  /** Appends durably, then wakes the readers. */
  append(run: string, bodies: readonly Happened[]): Promise<Run>
  /** Throws `run.unknown`. */
  get(run: string): Promise<Run>
  spec(run: string): Promise<RunSpec>
  live(): Promise<Run[]>
  /** All events of a run. */
  history(run: string): Promise<RunEvent[]>
}

export function openRunLog(store: Store, host: string, bells: RunBells): RunLog {
  return {
    async accept(request) {
      const accepted = await acceptRun(store, { host, ...request })
      if (accepted.created) bells.ring(accepted.run)
      return accepted
    },
    async append(id, bodies) {
      const { run } = await appendEvents(store, host, id, bodies)
      bells.ring(run)
      return run
    },
    async get(id) {
      const run = await getRun(store, host, id)
      if (!run) throw failure('run.unknown', { run: id })
      return run
    },
    async spec(id) {
      const spec = await getSpec(store, host, id)
      if (!spec) throw failure('run.unknown', { run: id })
      return spec
    },
    live: () => liveRuns(store, host),
    history: (id) => readEvents(store, host, id, 0, Number.MAX_SAFE_INTEGER),
  }
}
