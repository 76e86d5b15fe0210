// How a proc's process is started: its id at the keeper and its environment.

import { homedir } from 'node:os'
import { environmentFor } from '../environment.ts'
import type { SpawnRequest } from '../keeper/protocol.ts'
import { backendVariable, procVariable, secretVariable } from './message.ts'
import type { ProcRecord } from './record.ts'

interface Where {
  readonly host: string
  readonly backendPath: string
}

export function processIdOf({ name, generation }: ProcRecord): string {
  return `procs/${name}.${generation}`
}

/** What a proc's process carries in its environment and no other process does. */
export function markOf({ name, generation }: ProcRecord, { backendPath }: Where): string[] {
  return [`${procVariable}=${name}`, `${backendVariable}=${backendPath}`, `MUSTER_GENERATION=${generation}`]
}

export function requestFor(record: ProcRecord, secret: string, where: Where): SpawnRequest {
  const { argv, cwd, env } = record.spec
  const mark = Object.fromEntries(markOf(record, where).map((variable) => splitOnce(variable)))
  const identity = { ...mark, MUSTER_HOST: where.host, [secretVariable]: secret }
  return { id: processIdOf(record), argv, cwd: cwd ?? homedir(), env: environmentFor(process.env, env, identity), stdin: 'none' }
}

function splitOnce(variable: string): [string, string] {
  const at = variable.indexOf('=')
  return [variable.slice(0, at), variable.slice(at + 1)]
}
