// A hub's store as years of use leave it: runs that have ended on their hosts, with their events and jobs, written by SQL since
// nothing else is fast enough.

import { type RawBuilder, sql } from 'kysely'
import { openStore } from '../src/store/store.ts'

export interface Seed {
  readonly file: string
  /** Ids of hosts that the hub knows; runs are spread over them. */
  readonly hosts: readonly string[]
  readonly runs: number
  /** When the newest of them was accepted; each was accepted a second after the one before. */
  readonly newestAt: Date
}

/** Of each this many one is, say, a failure. */
const oneIn = { failed: 50, workflow: 1_000 } as const

/** The id of the run with this number, from 0, the oldest, on. */
export function seededRun(number: number): string {
  return `run_${String(number).padStart(26, '0')}`
}

export function acceptedAt({ runs, newestAt }: Pick<Seed, 'runs' | 'newestAt'>, number: number): string {
  return new Date(newestAt.getTime() - (runs - 1 - number) * 1_000).toISOString()
}

export async function seedRuns(seed: Seed): Promise<void> {
  await using store = await openStore({ file: seed.file })
  for (const statement of statements(seed)) await store.write((db) => statement.execute(db))
}

/** Numbers stand in the text: as values SQLite would take them for real ones, and `%` with them. */
function statements({ runs, hosts, newestAt }: Seed): RawBuilder<unknown>[] {
  const oldest = newestAt.getTime() / 1_000 - (runs - 1)
  const time = (column: string, secondsLater = 0) =>
    sql`strftime('%Y-%m-%dT%H:%M:%fZ', ${oldest + secondsLater} + ${sql.ref(column)}, 'unixepoch')`
  const host = sql`json_extract(${JSON.stringify(hosts)}, '$[' || (n % ${sql.lit(hosts.length)}) || ']')`
  const id = sql`printf('run_%026d', n)`
  const state = sql`iif(n % ${sql.lit(oneIn.failed)} = 0, 'failed', 'succeeded')`
  const kind = sql`iif(n % ${sql.lit(oneIn.workflow)} = 0, 'workflow', 'command')`
  const error = sql`iif(n % ${sql.lit(oneIn.failed)} = 0, '{"code":"run.lost","message":"m","hint":"h","retryable":false}', null)`
  const numbers = sql`with recursive number(n) as (select 0 union all select n + 1 from number where n < ${sql.lit(runs - 1)})`
  const spec = '{"kind":"command","argv":["true"],"env":{},"stdin":"none","timeoutMs":86400000}'
  const events = [
    '{"type":"accepted","kind":"command","title":"true","parent":null}',
    '{"type":"state","state":"running","pid":4242}',
    '{"type":"state","state":"succeeded","exit":{"code":0,"signal":null},"output":{"stdout":0,"stderr":0}}',
  ]
  return [
    sql`insert into run (host, id, kind, state, title, parent, parent_run, spec, fence, created_at, started_at, ended_at, pid, exit,
          error, stdout, stderr, last_event, output_whole)
        ${numbers}
        select ${host}, ${id}, ${kind}, ${state}, 'true', null, null, null, 1, ${time('n')}, ${time('n')}, ${time('n', 1)}, 4242,
          '{"code":0,"signal":null}', ${error}, 0, 0, 3, 1 from number`,
    sql`insert into job (run, host, key, fingerprint, spec, kind, parent, parent_run, title, state, run_state, fence, owner, lease_until,
          queue, created_at, expires_at, started_at, ended_at, error)
        ${numbers}
        select ${id}, ${host}, null, hex(n), ${spec}, ${kind}, null, null, 'true', 'ended', ${state}, 1, null, null,
          0, ${time('n')}, ${time('n', 86_400)}, ${time('n')}, ${time('n', 1)}, ${error} from number`,
    ...events.map(
      (body, index) => sql`insert into event (host, run, seq, position, at, body)
        ${numbers}
        select ${host}, ${id}, ${sql.lit(index + 1)}, n * ${sql.lit(events.length)} + ${sql.lit(index + 1)}, ${time('n')}, ${body} from number`,
    ),
    ...hosts.map((one) => sql`insert into journal (host, position) values (${one}, ${runs * events.length})`),
  ]
}
