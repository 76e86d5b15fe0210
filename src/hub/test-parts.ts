// For tests of the hub's parts: an empty store, and a host whose link and answers are the test's own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linkStateCell, offline } from '../connectors/link-state.ts'
import type { ConnectorTraits, LinkState } from '../connectors/port.ts'
import { direct } from '../contract/direct.ts'
import { type Bound, implementation, type Principal } from '../contract/implementation.ts'
import { scopes } from '../contract/operation.ts'
import { openStore, type Store } from '../store/store.ts'
import type { FleetHost } from './fleet.ts'

const hub: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(scopes) }

export interface TestHome extends AsyncDisposable {
  readonly dir: string
  readonly store: Store
}

export async function openTestHome(): Promise<TestHome> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-hub-'))
  const store = await openStore({ file: join(dir, 'hub.db') })
  return {
    dir,
    store,
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
}

/** A host that answers what is given; online until `cut`, and after that still asked where it is `deferred`. */
export function testHost(
  id: string,
  answers: Bound[],
  { mirrored = false, deferred = false }: Partial<ConnectorTraits> = {},
): FleetHost & { cut(reason?: string): void; dial(): void } {
  const caller = direct(implementation(...answers), hub)
  const online = (): LinkState => ({ status: 'online', since: new Date().toISOString(), caller })
  const away = (reason: string): LinkState => ({
    status: 'offline',
    since: new Date().toISOString(),
    reason,
    ...(deferred && { caller }),
  })
  const cell = linkStateCell(online())
  const close = async () => cell.set(offline('closed'))
  const connector = {
    traits: { mirrored, deferred, interactive: !deferred },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: close,
  }
  return {
    id,
    name: id,
    labels: {},
    trust: ['*'],
    kind: 'tunnel',
    label: id,
    connector,
    cut: (reason = 'cut') => cell.set(away(reason)),
    dial: () => cell.set(online()),
  }
}
