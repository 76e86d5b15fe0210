// The catalog of a host: its built-in commands, those that its owner declared, and those that the hub in its process lends it.

import type { CorruptCommand } from '../../contract/command.ts'
import { compileSchema, type ValueCheck } from '../../contract/json-schema.ts'
import type { CommandNature } from '../policy.ts'
import type { HostCommand } from './command.ts'
import { declaredCommands } from './declared.ts'

export interface Catalog {
  /** Takes up what was declared anew, or otherwise; ask the rest after it. */
  refresh(): Promise<void>
  find(name: string): HostCommand | undefined
  /** By name, so that a list stays as it is. */
  all(): readonly HostCommand[]
  corrupt(): readonly CorruptCommand[]
  natureOf(name: string): CommandNature
  /** Of a command's parameters and of its result. */
  checks(command: HostCommand): Promise<Checks>
}

interface Checks {
  readonly params: ValueCheck
  readonly result: ValueCheck
}

/** `dir`: the folder of declared commands, if there is one. `host` is what they see as MUSTER_HOST. */
export function openCatalog(own: readonly HostCommand[], { dir, host }: { dir: string | undefined; host: string }): Catalog {
  const declared = declaredCommands(dir, host, new Set(own.map(({ entry }) => entry.name)))
  const compiled = new WeakMap<HostCommand, Promise<Checks>>()
  let read: Awaited<ReturnType<typeof declared.read>> | undefined
  let byName = named(own)

  return {
    async refresh() {
      const now = await declared.read()
      if (now === read) return
      read = now
      byName = named([...own, ...now.commands])
    },
    find: (name) => byName.get(name),
    all: () => [...byName.values()],
    corrupt: () => read?.corrupt ?? [],
    natureOf(name) {
      const command = byName.get(name)
      return { sensitive: command?.entry.sensitive ?? false, hidden: command?.hidden ?? false }
    },
    checks(command) {
      const known = compiled.get(command) ?? checksOf(command)
      compiled.set(command, known)
      return known
    },
  }
}

function named(commands: readonly HostCommand[]): ReadonlyMap<string, HostCommand> {
  const sorted = [...commands].sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1))
  return new Map(sorted.map((command) => [command.entry.name, command]))
}

async function checksOf({ entry: { params, result } }: HostCommand): Promise<Checks> {
  const [ofParams, ofResult] = await Promise.all([compileSchema(params), compileSchema(result)])
  return { params: ofParams, result: ofResult }
}
