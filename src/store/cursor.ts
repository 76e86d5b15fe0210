// Pages of runs and waiting jobs, newest first: the cursor names the last row of a page, so that new rows shift nothing.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import { failure } from '../contract/errors.ts'
import type { Tables } from './schema.ts'

export interface Cursor {
  readonly createdAt: string
  readonly id: string
}

/** The cursor after this run. "~" is in no time and in no run id. */
export function runCursor({ createdAt, id }: Cursor): string {
  return `${createdAt}~${id}`
}

/** The condition that a row is older than the cursor's; compared as a pair, which an index can find. Throws `input.invalid` for a cursor that is none. */
export function runsOlderThan(before: string) {
  const { createdAt, id } = parseCursor(before)
  return (row: ExpressionBuilder<Tables, 'run'>): Expression<SqlBool> =>
    row(row.refTuple('created_at', 'id'), '<', row.tuple(createdAt, id))
}

/** The same for waiting jobs, which are listed with runs. */
export function jobsOlderThan(before: string) {
  const { createdAt, id } = parseCursor(before)
  return (row: ExpressionBuilder<Tables, 'job'>): Expression<SqlBool> =>
    row(row.refTuple('created_at', 'run'), '<', row.tuple(createdAt, id))
}

function parseCursor(text: string): Cursor {
  const [createdAt, id, ...rest] = text.split('~')
  if (!createdAt || !id || rest.length > 0)
    throw failure('input.invalid', { what: 'before', problem: 'it is not a cursor from an earlier page' })
  return { createdAt, id }
}
