// The hub's own host, reached by a function call.
// How it breaks: not at all; while the hub runs, so does its host. The host's side of it is the host itself, so there is no link.ts.

import { direct } from '../../contract/direct.ts'
import type { Implementation, Principal } from '../../contract/implementation.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector } from '../port.ts'

const thisProcess: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(['read', 'operate', 'admin']) }

export function connectLocal(host: Implementation): Connector {
  const cell = linkStateCell({ status: 'online', since: new Date().toISOString(), caller: direct(host, thisProcess) })
  const close = async () => cell.set(offline('the hub is closing'))
  return {
    traits: { mirrored: false },
    get state() { return cell.state },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: close,
  }
}
