// The hub's own host, reached by a function call. There is one in every hub, and no registry record makes another.
// How it breaks: not at all; while the hub runs, so does its host. The host's side is the host itself, so there is no link.ts.

import { dirname, join } from 'node:path'
import { direct } from '../../contract/direct.ts'
import type { Principal } from '../../contract/implementation.ts'
import { localHost } from '../../contract/names.ts'
import { scopes } from '../../contract/operation.ts'
import { openHost } from '../../host/host.ts'
import { policyFileOf } from '../../host/policy-file.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector } from '../port.ts'

export type { Executor } from '../../host/executors.ts'

const thisProcess: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(scopes) }

/** `home` is `host` in MUSTER_HOME. Opens the host and its connector as one; closing the connector closes the host, whose runs go on. */
export async function openLocal(
  options: Omit<Parameters<typeof openHost>[0], 'name' | 'policy' | 'commands' | 'musterHome'>,
): Promise<Connector> {
  // The hub may everything, being the same account; what it is not to do by itself, its people write into the file.
  const home = dirname(options.home)
  const policy = { allow: 'everything', file: policyFileOf(home) } as const
  const host = await openHost({ ...options, musterHome: home, name: localHost, policy, commands: join(home, 'commands') })
  const cell = linkStateCell({ status: 'online', since: new Date().toISOString(), caller: direct(host.offers, thisProcess) })
  // Online until the host has let go of its runs: a workflow that is being put aside must not take this for a unit's failure.
  const close = async () => {
    await host.close()
    cell.set(offline('the hub is closing'))
  }
  return {
    traits: { mirrored: false, deferred: false, interactive: true },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: close,
  }
}
