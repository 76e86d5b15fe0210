// Answers are checked against the contract as they come in: a hub of another version must not be half understood.

import { failure } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { Operation, OutputOf } from '../contract/operation.ts'

/** Throws `wire.protocol` for an answer that is not the operation's. */
export function parseOutput<O extends Operation>(operation: O, value: unknown): OutputOf<O> {
  const parsed = operation.output.safeParse(value)
  if (parsed.success) return parsed.data as OutputOf<O>
  const problem = parsed.error.issues.slice(0, 3).map(describeIssue).join('; ')
  throw failure('wire.protocol', { problem: `its answer to ${operation.name} is not as expected: ${problem}` })
}
