// A command and its parameters as they are typed: `exec '{"argv": ["date"]}'`.

import { failure } from '../../contract/errors.ts'
import { CommandName } from '../../contract/names.ts'
import { check } from '../arguments.ts'

export const commandName = (text: string): string =>
  check(CommandName, text, 'The command', 'Commands are named like `exec` and `file.read`.')

/** Throws `cli.usage` for what is no JSON object. */
export function paramsOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {}
  const value = parse(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw failure('cli.usage', {
    problem: 'The parameters are no JSON object.',
    hint: 'Write them like \'{"path": "/tmp/file"}\', in single quotes, so that the shell leaves them as they are.',
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Told with what would be right, which the parser's own words are not.
    return undefined
  }
}
