// The one thing in which the engines' schemas differ: SQLite compares text by code point anyway, PostgreSQL by a column's
// collation.

import type { CreateTableBuilder } from 'kysely'

/** The engine's column type for text that compares by code point. */
export type TextType = Parameters<CreateTableBuilder<string>['addColumn']>[1]
