// A record by ids that others choose. It has no prototype: one that is called `constructor` is there only when somebody has put it there.

import { z } from 'zod'

/** Such a record, as it is read; what is absent holds nothing. */
export function byId<Id extends z.ZodType<string>, Value extends z.ZodType>(id: Id, value: Value) {
  return z
    .record(id, value)
    .default({} as never)
    .transform((record) => bare(record as Record<string, z.output<Value>>))
}

export function bare<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.assign(Object.create(null) as Record<string, Value>, record)
}
