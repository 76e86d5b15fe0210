// A declared command: what its TOML file may say, and the command that it makes. Its argument list is data and no language: each element
// is text, or names the one parameter whose value takes its place, whole. No shell reads it.

import { homedir } from 'node:os'
import { basename } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { isTooDeep, nestedTooDeep } from '../../contract/command.ts'
import { failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { CommandName } from '../../contract/names.ts'
import { environmentFor } from '../environment.ts'
import { plainText } from './builtin.ts'
import { frozen, type HostCommand, type Params } from './command.ts'
import { OutputResult, outputResult } from './kept-output.ts'
import { type Ended, runProgram } from './program.ts'
import { wholeOperand, wholeText } from './whole-argument.ts'

const Text = plainText(64 * 1024)
const FromParam = z.strictObject({
  param: z.string().min(1).max(128),
  mayBeOption: z.boolean().default(false).meta({ description: 'Its value may begin with a dash.' }),
})
type FromParam = z.output<typeof FromParam>
type Element = string | FromParam

const duration = /^(?<count>\d{1,6})(?<unit>ms|s|m)$/
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }
const longestMs = 600_000

const Timeout = z
  .string()
  .regex(duration, 'it is a duration such as "30s" or "5m"')
  .transform((text) => {
    const { count, unit = '' } = duration.exec(text)?.groups ?? {}
    return Number(count) * (unitMs[unit] ?? 0)
  })
  .refine((ms) => ms > 0 && ms <= longestMs, 'it is longer than 10m, or nothing')

const Schema = z.record(z.string(), z.unknown())

const Declaration = z.strictObject({
  name: CommandName,
  description: z.string().min(1).max(1_000),
  argv: z
    .array(z.union([Text, FromParam]))
    .min(1)
    .max(256),
  params: Schema.default({ type: 'object', additionalProperties: false }),
  /** Its standard output is JSON of this schema. Without it, the result is exit and output. */
  result: Schema.optional(),
  cwd: Text.regex(/^\//, 'it is an absolute path').optional(),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not a variable's name"), z.union([Text, FromParam])).default({}),
  stdin: z.union([Text, FromParam]).optional(),
  timeout: Timeout.default(60_000),
  sensitive: z.boolean().default(false),
})
type Declaration = z.output<typeof Declaration>

const PlainResult = z.strictObject({ code: z.int().nullable(), signal: z.string().nullable(), ...OutputResult })
const { '~standard': _standard, ...plainResult } = z.toJSONSchema(PlainResult) as Record<string, unknown>

/** Throws an Error that says what is wrong with the text. `host` is what its runs see as MUSTER_HOST. */
export function parseDeclaration(text: string, host: string): HostCommand {
  const declared = Declaration.safeParse(parseToml(text))
  if (!declared.success) throw new Error(declared.error.issues.map(describeIssue).join('; '))
  requireSound(declared.data)
  return commandOf(declared.data, host)
}

function parseToml(text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof TomlError) throw new Error(`line ${error.line}, column ${error.column}: not TOML`, { cause: error })
    throw error
  }
}

const shells = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'fish', 'ash'])

function requireSound({ argv, params, env, stdin }: Declaration): void {
  const [program] = argv
  if (typeof program !== 'string' || program === '')
    throw new Error("argv: its first element is the program, by name, and no parameter's")
  const script = programOfShell(argv)
  if (script !== undefined)
    throw new Error(`argv: a shell would read the parameter ${script} as a program; the command \`shell\` is for that`)
  const used = [...argv, ...Object.values(env), stdin].filter((one): one is FromParam => typeof one === 'object')
  for (const { param } of used) requireParameter(params, param)
}

/** The parameter that would be read as a program, by a shell here or one that `env`, `sudo` and their like would start. */
function programOfShell(argv: readonly Element[]): string | undefined {
  const shell = argv.findIndex((element) => typeof element === 'string' && shells.has(basename(element)))
  if (shell < 0) return undefined
  let takesProgram = false
  for (let at = shell + 1; at < argv.length; at++) {
    const element = argv[at]
    if (typeof element !== 'string') return takesProgram ? element?.param : undefined
    if (!/^[-+]./.test(element)) return undefined
    if (/^-[^-]*c/.test(element)) takesProgram = true
    // `-o pipefail`, `--rcfile FILE`: the next one is the option's own.
    if (/^(?:[-+][^-]*[oO]|--rcfile|--init-file)$/.test(element)) at++
  }
  return undefined
}

/** One that could be missing would leave an option without its value; one that is a list would be several arguments, or none. */
function requireParameter(schema: Readonly<Record<string, unknown>>, name: string): void {
  const { properties, required } = schema as { properties?: Record<string, { type?: unknown }>; required?: unknown }
  const type = properties && Object.hasOwn(properties, name) ? properties[name]?.type : undefined
  if (!Array.isArray(required) || !required.includes(name))
    throw new Error(`params: ${name} is used, so it belongs to "required"`)
  if (typeof type !== 'string' || !['string', 'integer', 'number', 'boolean'].includes(type))
    throw new Error(`params: ${name} is used, so its type is string, integer, number or boolean`)
}

function commandOf(declared: Declaration, host: string): HostCommand {
  const { name, description, params: schema, result, sensitive, timeout } = declared
  return {
    entry: { name, description, params: schema, result: result ?? plainResult, sensitive, source: 'declared' },
    prepare(params) {
      const cwd = declared.cwd ?? homedir()
      const given = mapValues(declared.env, (value) => textOf(value, params, wholeText))
      const program = frozen({ argv: argumentsOf(declared.argv, params), cwd, env: given })
      const stdin = declared.stdin === undefined ? undefined : textOf(declared.stdin, params, wholeText)
      return {
        shown: frozen({ params, ...program }),
        async run(invocation) {
          const env = environmentFor(process.env, program.env, { MUSTER_HOST: host })
          const run = { ...program, env, timeoutMs: timeout, ...(stdin !== undefined && { stdin }) }
          const ended = await runProgram(run, invocation)
          if (ended.timedOut) throw failure('command.timed_out', { command: name, ms: timeout })
          const { code, signal, stdout, stderr } = ended
          return result ? jsonOf(name, ended) : { code, signal, ...outputResult(stdout, stderr) }
        },
      }
    },
  }
}

/** After a `--` of the declaration's own, a leading dash is no option any more. */
function argumentsOf(argv: readonly Element[], params: Params): string[] {
  const dashes = argv.indexOf('--')
  return argv.map((element, at) => {
    const isOperand = typeof element !== 'string' && !element.mayBeOption && !(dashes >= 0 && at > dashes)
    return textOf(element, params, isOperand ? wholeOperand : wholeText)
  })
}

function textOf(element: Element, params: Params, take: (name: string, value: unknown) => string): string {
  return typeof element === 'string' ? element : take(element.param, params[element.param])
}

function mapValues<V, W>(record: Readonly<Record<string, V>>, map: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}

const tailCharacters = 400

function jsonOf(command: string, { code, signal, stdout, stderr }: Ended): unknown {
  if (code !== 0) {
    const how = signal === null ? `exit ${code}` : signal
    const said = stderr.kept.toString('utf8').trim().slice(-tailCharacters)
    throw failure('command.failed', { command, how, stderr: said.replace(/\.$/, '') })
  }
  if (stdout.total > stdout.kept.length)
    throw failure('command.result', {
      command,
      problem: `its output is ${stdout.total} bytes, and ${stdout.kept.length} are the most`,
    })
  const result = parseJson(command, stdout.kept.toString('utf8'))
  if (isTooDeep(result)) throw failure('command.result', { command, problem: nestedTooDeep })
  return result
}

function parseJson(command: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw failure('command.result', { command, problem: 'its output is not JSON' }, { cause })
  }
}
