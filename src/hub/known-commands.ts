// What a host's catalog says, as this hub has last read it: read at the first invocation over a link, and again where it no longer fits.
// It comes from the host, so that of its schemas only what is plain is checked here; the host checks the whole of them.

import type { Caller } from '../contract/caller.ts'
import { listCommands } from '../contract/command.ts'
import { compileSchema, type JsonSchema, plainPart, type ValueCheck } from '../contract/json-schema.ts'

interface KnownCommand {
  readonly params: JsonSchema
  readonly result: JsonSchema
}

type Part = keyof KnownCommand

export interface KnownCommands {
  /** What is wrong with a command's parameters or result, by the catalog as it is now; undefined where nothing is, or nothing is known. */
  problem(caller: Caller, command: string, part: Part, value: unknown, signal: AbortSignal): Promise<string | undefined>
}

const readTimeoutMs = 10_000

/** Compiled when it is first needed: a host may list as many as it likes. */
type Checks = Partial<Record<Part, Promise<ValueCheck>>>

export function knownCommands(): KnownCommands {
  let known: { readonly caller: Caller; readonly commands: ReadonlyMap<string, KnownCommand & { checks: Checks }> } | undefined

  async function read(caller: Caller, signal: AbortSignal) {
    const { commands } = await caller.call(listCommands, {}, { signal, timeoutMs: readTimeoutMs })
    known = { caller, commands: new Map(commands.map(({ name, params, result }) => [name, { params, result, checks: {} }])) }
    return known
  }

  return {
    async problem(caller, command, part, value, signal) {
      const isFresh = known?.caller !== caller
      const { commands } = known?.caller === caller ? known : await read(caller, signal)
      const problem = await problemOf(commands.get(command), part, value)
      if (problem === undefined || isFresh) return problem
      // It may have been declared anew since.
      return problemOf((await read(caller, signal)).commands.get(command), part, value)
    },
  }
}

async function problemOf(
  command: (KnownCommand & { checks: Checks }) | undefined,
  part: Part,
  value: unknown,
): Promise<string | undefined> {
  if (!command) return undefined
  command.checks[part] ??= checkOf(command[part])
  return (await command.checks[part])(value)
}

const nothingKnown: ValueCheck = () => undefined

async function checkOf(schema: JsonSchema): Promise<ValueCheck> {
  const plain = plainPart(schema)
  if (typeof plain !== 'object') return nothingKnown
  try {
    return await compileSchema(plain)
  } catch {
    // The host is the one who can use it, or not.
    return nothingKnown
  }
}
