// The commands that a host has without anybody's declaring them: on every machine, and where the machine or its hub lets them be.

import type { Jail } from '../../transfer/disk/jail.ts'
import type { HostCommand } from './command.ts'
import { execCommands } from './exec.ts'
import { fileCommands } from './files.ts'
import { type AskHub, fleetCommands } from './fleet.ts'
import { screenshotCommands } from './screenshot.ts'
import { systemCommands } from './system.ts'

export type { AskHub } from './fleet.ts'

export interface OwnCommandsOf {
  readonly host: string
  readonly env: NodeJS.ProcessEnv
  /** Where files may be read and written, as the policy has it now. */
  readonly jail: () => Jail
  /** Where the host is the hub's own: the way to ask that hub. */
  readonly hub?: AskHub | undefined
}

export function ownCommands({ host, env, jail, hub }: OwnCommandsOf): HostCommand[] {
  return [
    ...execCommands(host),
    ...fileCommands(jail),
    ...systemCommands(),
    ...screenshotCommands(env),
    ...(hub ? fleetCommands(hub) : []),
  ]
}
