// `--label zone=eu` as labels.

import { failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { Labels } from '../../contract/names.ts'
import { uniquePairs } from '../arguments.ts'

/** Throws `cli.usage` for a name or a value that no label has, or for a name that comes twice. */
export function labelsOf(pairs: [string, string][] | undefined, option = '--label'): Record<string, string> {
  const parsed = Labels.safeParse(uniquePairs(option, pairs))
  if (parsed.success) return parsed.data
  throw failure('cli.usage', {
    problem: `A label is not valid: ${parsed.error.issues.map(describeIssue).join('; ')}.`,
    hint: 'Labels are written NAME=VALUE, such as `zone=eu-1`.',
  })
}
