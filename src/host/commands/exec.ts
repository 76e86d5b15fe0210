// `exec` and `shell`: a program with the arguments that the caller gives, and a script that the caller gives, each to its end.

import { homedir } from 'node:os'
import { z } from 'zod'
import { environmentFor } from '../environment.ts'
import { builtIn, plainText } from './builtin.ts'
import type { HostCommand, Invocation, Shown } from './command.ts'
import { OutputResult, outputResult } from './kept-output.ts'
import { runProgram } from './program.ts'

const kibi = 1024
const Argument = plainText(128 * kibi)

const surroundings = {
  cwd: plainText(4096)
    .regex(/^\//, 'it is an absolute path')
    .optional()
    .meta({ description: "Working directory; default: the home directory of the node's account." }),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not a variable's name"), Argument)
    .default({})
    .meta({ description: 'Variables given to it, on top of the few that it inherits.' }),
  stdin: z
    .string()
    .max(256 * kibi)
    .optional()
    .meta({ description: 'Its standard input; without it, none.' }),
  timeoutMs: z.int().min(1).max(600_000).default(60_000),
}

const ExecParams = z.strictObject({
  argv: z
    .array(Argument)
    .min(1)
    .max(4096)
    .refine((argv) => argv[0] !== '', "the program's name is empty")
    .meta({ description: 'Program and arguments; never read by a shell.' }),
  ...surroundings,
})

const ShellParams = z.strictObject({
  script: z
    .string()
    .min(1)
    .max(256 * kibi)
    .regex(/^[^\0]*$/, 'it holds a NUL byte'),
  shell: z.enum(['sh', 'bash']).default('sh'),
  args: z.array(Argument).max(4096).default([]).meta({ description: 'What the script has as $1, $2 …' }),
  ...surroundings,
})

const Result = z.strictObject({
  code: z.int().nullable().meta({ description: 'How it exited; null where a signal ended it.' }),
  signal: z.string().nullable(),
  timedOut: z.boolean(),
  ...OutputResult,
})

/**
 * The shell takes its script from descriptor 3, whole, and closes that before it begins. What is there is a socket, which no path opens.
 * A node that dies while it writes would leave the beginning of a script, which means something else: what lacks its end is not begun.
 */
const readScript =
  'muster=$(command -p cat <&3); exec 3<&-; case $muster in *#end) eval "unset muster; $muster" ;; *) exit 126 ;; esac'
/** A comment in any shell. */
const scriptEnd = '\n#end'

/** `host` is what they see as MUSTER_HOST. */
export function execCommands(host: string): HostCommand[] {
  const settings = ({ cwd = homedir(), env }: { cwd?: string | undefined; env: Record<string, string> }) => ({ cwd, env })
  const end = async ({ argv = [], cwd = '', env = {}, script }: Shown, params: Given, invocation: Invocation) => {
    const { code, signal, timedOut, stdout, stderr } = await runProgram(
      {
        argv,
        cwd,
        env: environmentFor(process.env, env, { MUSTER_HOST: host }),
        timeoutMs: params.timeoutMs,
        ...(params.stdin !== undefined && { stdin: params.stdin }),
        ...(script !== undefined && { script: script + scriptEnd }),
      },
      invocation,
    )
    return { code, signal, timedOut, ...outputResult(stdout, stderr) }
  }
  return [
    builtIn({
      name: 'exec',
      description: 'Runs a program to its end. A program that fails is a result; its output comes as progress while it runs.',
      params: ExecParams,
      result: Result,
      shows: (params) => ({ argv: params.argv, ...settings(params) }),
      run: (params, invocation, shown) => end(shown, params, invocation),
    }),
    builtIn({
      name: 'shell',
      description: 'Runs a script with sh or bash to its end. The shell reads it from memory: it is in no argument and no file.',
      params: ShellParams,
      result: Result,
      sensitive: true,
      shows: (params) => ({
        argv: [params.shell, '-c', readScript, params.shell, ...params.args],
        script: params.script,
        ...settings(params),
      }),
      run: (params, invocation, shown) => end(shown, params, invocation),
    }),
  ]
}

interface Given {
  readonly timeoutMs: number
  readonly stdin?: string | undefined
}
