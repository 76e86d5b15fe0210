// The commands that a host has without anybody's declaring them: on every machine, and where the machine or its hub lets them be.

import type { Caller } from '../../contract/caller.ts'
import type { HostCommand } from './command.ts'
import { execCommands } from './exec.ts'
import { fileCommands } from './files.ts'
import { fleetCommands } from './fleet.ts'
import { screenshotCommands } from './screenshot.ts'
import { systemCommands } from './system.ts'

export interface OwnCommandsOf {
  readonly host: string
  readonly env: NodeJS.ProcessEnv
  /** The directories in which files may be read and written, as the policy has them now. */
  readonly fileRoots: () => readonly string[]
  /** Where the host is the hub's own: the way to ask that hub. */
  readonly hub?: (() => Promise<Caller>) | undefined
}

export function ownCommands({ host, env, fileRoots, hub }: OwnCommandsOf): HostCommand[] {
  return [
    ...execCommands(host),
    ...fileCommands(fileRoots),
    ...systemCommands(),
    ...screenshotCommands(env),
    ...(hub ? fleetCommands(hub) : []),
  ]
}
