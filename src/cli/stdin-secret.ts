// A token from standard input: the one way to hand it over that no list of processes shows.

import { failure } from '../contract/errors.ts'
import type { Terminal } from './terminal.ts'

const longest = 4096

/** The only line of standard input. Throws `cli.usage` when it is empty or no token. */
export async function readToken({ stdin, say }: Pick<Terminal, 'stdin' | 'say'>): Promise<string> {
  if (stdin.isTTY) say('Paste the token, then press Enter and Ctrl-D.')
  const { text } = await import('node:stream/consumers')
  const given = (await text(stdin)).trim()
  if (given === '') throw wrong('No token came on standard input.')
  if (!isToken(given)) throw wrong('What came on standard input is no token: it must be one line without spaces.')
  return given
}

/** Whether a text can be a token at all, whatever it opens: it travels in a header. */
export function isToken(text: string): boolean {
  return text.length <= longest && /^[\x21-\x7e]+$/.test(text)
}

function wrong(problem: string) {
  return failure('cli.usage', { problem, hint: 'Give it by a pipe or a file: `--token-stdin < token-file`.' })
}
