// A run as a row of the table `run`, and back. Nothing else knows how the columns hold it.

import type { Insertable, Selectable } from 'kysely'
import type { Run, RunState } from '../contract/run.ts'
import type { RunTable } from './schema.ts'

type Folded = Omit<Insertable<RunTable>, 'spec' | 'fence' | 'output_whole'>

export function toRow(run: Run): Folded {
  return {
    host: run.host,
    id: run.id,
    kind: run.kind,
    state: run.state,
    title: run.title,
    parent: toJson(run.parent),
    parent_run: run.parent?.run ?? null,
    created_at: run.createdAt,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    pid: run.pid,
    exit: toJson(run.exit),
    error: toJson(run.error),
    stdout: run.output.stdout,
    stderr: run.output.stderr,
    last_event: run.lastEvent,
  }
}

export function toRun(row: Selectable<RunTable>): Run {
  return {
    id: row.id,
    host: row.host,
    kind: row.kind as Run['kind'],
    state: row.state as RunState,
    title: row.title,
    parent: fromJson(row.parent),
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    pid: row.pid,
    exit: fromJson(row.exit),
    error: fromJson(row.error),
    output: { stdout: row.stdout, stderr: row.stderr },
    lastEvent: row.last_event,
    unreachableSince: null,
  }
}

function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

/** Only for columns that were written by `toJson`. */
function fromJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T)
}
