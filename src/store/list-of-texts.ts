// A list of any length as one value of a query. A value for each would make a statement of its own for every length, as large as the
// list, and databases limit how many values a query may have.

import { type Kysely, PostgresAdapter, type RawBuilder, sql } from 'kysely'
import type { Tables } from './schema.ts'

/** For the right side of `in`. */
export function listOfTexts(db: Kysely<Tables>, texts: readonly string[]): RawBuilder<string> {
  const json = JSON.stringify(texts)
  return db.getExecutor().adapter instanceof PostgresAdapter
    ? sql<string>`(select json_array_elements_text(${json}::json))`
    : sql<string>`(select value from json_each(${json}))`
}
