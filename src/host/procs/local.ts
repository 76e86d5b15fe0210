// The `local` manager: a proc that is a table of functions in this process. The built-in procs are such, and embedders' own.

import { failure } from '../../contract/errors.ts'
import type { CallContext } from '../../contract/implementation.ts'
import type { ProcState } from '../../contract/proc.ts'
import type { Proc } from './proc.ts'

export type LocalHandler = (params: unknown, context: CallContext) => Promise<unknown>

/** `find` answers the handler of a method, if there is one. */
export function localProc(name: string, find: (method: string) => LocalHandler | undefined): Proc {
  const startedAt = new Date().toISOString()
  let endedAt: string | null = null

  const stateNow = (): ProcState => ({
    name,
    manager: 'local',
    status: endedAt === null ? 'running' : 'stopped',
    generation: 1,
    pid: process.pid,
    startedAt,
    endedAt,
    exit: null,
    stderrTail: '',
  })

  return {
    get state() {
      return stateNow()
    },
    async call(method, params, context) {
      if (endedAt !== null) throw failure('proc.ended', { proc: name, how: 'it was stopped' })
      const handler = find(method)
      if (!handler) throw failure('operation.unknown', { operation: method })
      return handler(params, context)
    },
    async stop() {
      endedAt ??= new Date().toISOString()
      return stateNow()
    },
  }
}
