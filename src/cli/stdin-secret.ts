// A token from standard input: the one way to hand it over that no list of processes shows.

import { text } from 'node:stream/consumers'
import { failure } from '../contract/errors.ts'
import type { Terminal } from './terminal.ts'

const longest = 4096

/** The only line of standard input. Throws `cli.usage` when it is empty or no token. */
export async function readToken({ stdin }: Pick<Terminal, 'stdin'>): Promise<string> {
  const given = (await text(stdin)).trim()
  if (given === '') throw wrong('No token came on standard input.')
  if (given.length > longest || !/^[\x21-\x7e]+$/.test(given))
    throw wrong('What came on standard input is no token: it must be one line without spaces.')
  return given
}

function wrong(problem: string) {
  return failure('cli.usage', { problem, hint: 'Give it by a pipe or a file: `--token-stdin < token-file`.' })
}
