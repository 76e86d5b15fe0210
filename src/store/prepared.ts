// Queries that are built once and run with other values each time: building one costs Kysely several times what the database needs
// to run it. For the few that every run goes through.

import type { Compilable, CompiledQuery, Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** Stands in a query for the value of that name. */
class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * The query that `build` makes of placeholders, to be run with values:
 *
 *     const titleOf = prepared((db, value: Values<{ id: string }>) =>
 *       db.selectFrom('run').select('title').where('id', '=', value('id')))
 *     const [row] = await titleOf(store.db, { id: 'run_1' })
 */
export function prepared<Row, Arguments extends object>(
  build: Build<Row, Arguments>,
): (db: Kysely<Tables>, values: Arguments) => Promise<Row[]> {
  const queryFor = compiledOnce(build)
  return async (db, values) => {
    const dialect = db.getExecutor().adapter
    const query = queryFor(db, values)
    if (answersAtOnce(dialect)) return dialect.answerAtOnce(query.sql, query.parameters) as Row[]
    return (await db.executeQuery<Row>(query)).rows
  }
}

/** Like `prepared`, for a change: answers how many rows it has written. Asking for the rows would cost as much as writing them. */
export function preparedChange<Arguments extends object>(
  build: Build<unknown, Arguments>,
): (db: Kysely<Tables>, values: Arguments) => Promise<number> {
  const queryFor = compiledOnce(build)
  return async (db, values) => {
    const dialect = db.getExecutor().adapter
    const query = queryFor(db, values)
    if (answersAtOnce(dialect)) return dialect.changeAtOnce(query.sql, query.parameters)
    return Number((await db.executeQuery(query)).numAffectedRows ?? 0)
  }
}

type Build<Row, Arguments> = (db: Kysely<Tables>, value: Values<Arguments>) => Compilable<Row>

function compiledOnce<Row, Arguments extends object>(build: Build<Row, Arguments>) {
  /** By dialect: transactions share their database's. */
  const compiled = new WeakMap<object, CompiledQuery<Row>>()
  const value = ((name: string) => new Placeholder(name)) as unknown as Values<Arguments>

  return (db: Kysely<Tables>, values: Arguments): CompiledQuery<Row> => {
    const dialect = db.getExecutor().adapter
    let query = compiled.get(dialect)
    if (!query) {
      query = build(db, value).compile()
      compiled.set(dialect, query)
    }
    const parameters = query.parameters.map((one) => (one instanceof Placeholder ? values[one.name as keyof Arguments] : one))
    return { ...query, parameters }
  }
}

export type Values<Arguments> = <Name extends keyof Arguments>(name: Name) => Arguments[Name]

/** A dialect whose database is in this process: the promises on Kysely's way there would cost as much as the query. */
export interface AnswersAtOnce {
  answerAtOnce(sql: string, parameters: readonly unknown[]): unknown[]
  /** Answers how many rows were changed. */
  changeAtOnce(sql: string, parameters: readonly unknown[]): number
}

function answersAtOnce(dialect: object): dialect is AnswersAtOnce {
  return 'answerAtOnce' in dialect
}
