// The parameters of an invocation: a JSON object as a word, from a file, or from standard input, where no list of processes shows it.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { Terminal } from '../terminal.ts'

/** None given: none. Throws `cli.usage`, `file.unreadable`. */
export async function readParams(
  { stdin, cwd }: Pick<Terminal, 'stdin' | 'cwd'>,
  given: string | undefined,
  fromStdin: boolean,
): Promise<Record<string, unknown>> {
  if (fromStdin && given !== undefined)
    throw wrong('The parameters are given twice, by --params-stdin and as a word', 'Leave one of them out.')
  if (fromStdin) return parse(await text(stdin), 'What came on standard input')
  if (given === undefined) return {}
  return given.startsWith('@')
    ? parse(await readParamsFile(resolve(cwd, given.slice(1))), `What is in ${given.slice(1)}`)
    : parse(given, 'PARAMS')
}

async function readParamsFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw failure('file.unreadable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}

function parse(json: string, what: string): Record<string, unknown> {
  const hint = 'Write one JSON object, in quotes: \'{"argv": ["uname", "-a"]}\'.'
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    throw wrong(`${what} is not JSON: ${(error as SyntaxError).message}`, hint)
  }
  throw wrong(`${what} is no JSON object`, hint)
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem: `${problem}.`, hint })
}
