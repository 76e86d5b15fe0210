// The catalog of the host of a home, for who looks at it without asking the process that serves it.

import { join } from 'node:path'
import type { Caller } from '../../contract/caller.ts'
import { failure } from '../../contract/errors.ts'
import { type Catalog, openCatalog } from './catalog.ts'
import { ownCommands } from './own.ts'

/** `home`: $MUSTER_HOME. `isHub`: whether a hub is in the same process, which lends its host commands. Nothing in it can be run. */
export async function catalogAt(home: string, { isHub }: { isHub: boolean }): Promise<Pick<Catalog, 'find' | 'natureOf'>> {
  const own = ownCommands({
    host: '',
    env: process.env,
    jail: () => ({ roots: [], except: home }),
    hub: isHub ? notHere : undefined,
  })
  const catalog = openCatalog(own, { dir: join(home, 'commands'), host: '' })
  await catalog.refresh()
  return catalog
}

async function notHere(): Promise<Caller> {
  throw failure('host.not_ready')
}
