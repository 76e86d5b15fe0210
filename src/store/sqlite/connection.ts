// node:sqlite as Kysely's SQLite dialect wants it. Knows nothing of our tables.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { type DialectAdapter, Kysely, SqliteAdapter, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely'
import type { AnswersAtOnce } from '../prepared.ts'
import type { Tables } from '../schema.ts'

/** Preparing costs more than running for most of our statements; there are few different ones, except lists of varying length. */
const mostStatements = 500

export function kyselyOver(database: DatabaseSync): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new OurSqliteDialect(preparing(database)) })
}

function preparing(database: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>()
  return {
    close: () => database.close(),
    prepare(sql) {
      const known = prepared.get(sql)
      if (known) return known
      if (prepared.size >= mostStatements) prepared.clear()
      const statement = wrap(database.prepare(sql))
      prepared.set(sql, statement)
      return statement
    },
  }
}

function wrap(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
  }
}

class OurSqliteDialect extends SqliteDialect {
  readonly #database: SqliteDatabase

  constructor(database: SqliteDatabase) {
    super({ database })
    this.#database = database
  }

  override createAdapter(): DialectAdapter {
    return new OurSqliteAdapter(this.#database)
  }
}

class OurSqliteAdapter extends SqliteAdapter implements AnswersAtOnce {
  readonly #database: SqliteDatabase

  constructor(database: SqliteDatabase) {
    super()
    this.#database = database
  }

  /** SQLite can roll back a schema change. Kysely's adapter says that it cannot, and a crash would leave half a migration. */
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  answerAtOnce(sql: string, parameters: readonly unknown[]): unknown[] {
    return this.#database.prepare(sql).all(parameters)
  }

  changeAtOnce(sql: string, parameters: readonly unknown[]): number {
    return Number(this.#database.prepare(sql).run(parameters).changes)
  }
}
