// Why a program could not be started, as a sentence. The system says ENOENT for a missing program and a missing directory alike.

import { statSync } from 'node:fs'

/** `argv[0]` as it was asked for; `cwd` as it was used. */
export function describeSpawnProblem(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  return problemWithDirectory(cwd) ?? problemWithProgram(error, program)
}

function problemWithDirectory(cwd: string): string | undefined {
  try {
    return statSync(cwd).isDirectory() ? undefined : `the working directory ${cwd} is not a directory`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return `the working directory ${cwd} does not exist`
    return `the working directory ${cwd} cannot be entered (${code})`
  }
}

function problemWithProgram(error: NodeJS.ErrnoException, program: string): string {
  const isPath = program.includes('/')
  switch (error.code) {
    case 'ENOENT':
      return isPath ? 'there is no such file, or the interpreter that it names does not exist' : 'no such program is in PATH'
    case 'EACCES':
      return 'this account may not run it, or may not enter the working directory'
    case 'E2BIG':
      return 'its arguments and environment are longer than the system takes'
    case 'EAGAIN':
      return 'the system has no process left for this account'
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open'
    default:
      return error.message
  }
}
