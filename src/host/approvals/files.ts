// The files that an argument list would have carried out: its program, and what a shell or an interpreter is given beside it. A question
// shows their names; that they are still the same files is seen to here. What they hold is told to nobody, who asks least of all.

import { stat } from 'node:fs/promises'
import { basename, delimiter, join, resolve } from 'node:path'
import type { Question } from './question.ts'

/** What they are now, to be compared with what they are later; one that is not there is told from one that is. */
export async function filesOf({ argv, cwd, env, script }: Pick<Question, 'argv' | 'cwd' | 'env' | 'script'>): Promise<string> {
  const [program = '', ...args] = argv ?? []
  if (program === '' || cwd === null) return ''
  // A script that is given comes from memory, and what it is given is data.
  const carried = script === null && carriesOut(basename(program)) ? args : []
  const path = env.PATH ?? process.env.PATH ?? ''
  const places = program.includes('/') ? [program] : path.split(delimiter).map((dir) => join(dir, program))
  return (await Promise.all([...places, ...carried].map((file) => stampOf(resolve(cwd, file))))).join('\n')
}

const carriers = new Set(
  'sh bash dash zsh ksh fish ash busybox node deno bun perl ruby php lua awk make env sudo doas nice nohup timeout setsid xargs'.split(
    ' ',
  ),
)

/** Whether a program carries out files that are named to it. */
function carriesOut(program: string): boolean {
  return carriers.has(program) || /^python[\d.]*$/.test(program)
}

async function stampOf(file: string): Promise<string> {
  try {
    const found = await stat(file, { bigint: true })
    return found.isFile() ? [found.dev, found.ino, found.size, found.mode, found.mtimeNs, found.ctimeNs].join() : 'no file'
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
