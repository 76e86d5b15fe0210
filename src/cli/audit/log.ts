// Which audit log a command reads: the hub's, by asking it, or that of this machine's own host, from its file.

import type { Caller } from '../../contract/caller.ts'
import { listHosts } from '../../contract/host.ts'
import { auditAtHome } from '../../host/kept-audit.ts'
import { homeAt } from '../home.ts'
import { connect } from '../hub-connection.ts'
import type { Terminal } from '../terminal.ts'

export interface OpenLog extends AsyncDisposable {
  readonly log: Caller
  /** What its hosts are called, by id. */
  hostNames(): Promise<ReadonlyMap<string, string>>
}

export type LogSource = (terminal: Terminal) => Promise<OpenLog>

export const hubLog: LogSource = async (terminal) => {
  const { hub, close } = connect(terminal)
  return {
    log: hub,
    async hostNames() {
      const { hosts } = await hub.call(listHosts, {})
      return new Map(hosts.map(({ id, name }) => [id, name]))
    },
    async [Symbol.asyncDispose]() {
      close()
    },
  }
}

/** Throws `audit.none`, `file.unreadable`, `store.newer`. */
export const nodeLog: LogSource = async ({ env }) => {
  const kept = await auditAtHome(homeAt(env).dir)
  return { log: kept.caller, hostNames: async () => new Map(), [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() }
}
