// What PostgreSQL's refusals mean to a caller, by SQLSTATE; a connection that cannot be had is `store.unavailable`.

import { failure, MusterError } from '../../contract/errors.ts'

/** Serialization failure, deadlock: the server undid the transaction, and it is worth trying again. */
const transient = new Set(['40001', '40P01'])
/**
 * Connection, resources (disk full), operator intervention (shutdown), system error, wrong password, no such database, bad state.
 */
const unavailable = /^(08|53|57|58|28|3D|25006|XX)/

export function isUndone(thrown: unknown): boolean {
  return transient.has(codeOf(thrown) ?? '')
}

export function asStoreProblem(thrown: unknown): unknown {
  if (thrown instanceof MusterError || !(thrown instanceof Error)) return thrown
  const code = codeOf(thrown)
  const isAnswer = code !== undefined && /^[0-9A-Z]{5}$/.test(code)
  if (isAnswer ? !unavailable.test(code) && !transient.has(code) : !isConnectionError(thrown, code)) return thrown
  return failure(
    'store.unavailable',
    { problem: thrown.message === '' ? `PostgreSQL: ${code}` : thrown.message },
    { cause: thrown },
  )
}

/** The driver has no code for a connection that ended or could not be had in time, only these sentences. */
function isConnectionError({ message }: Error, code: string | undefined): boolean {
  return (
    code !== undefined ||
    /connection (terminated|error|timeout)|timeout exceeded|not queryable|pool after calling end/i.test(message)
  )
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}
