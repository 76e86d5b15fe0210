// The tools over standard input and output: one client, which started this process, and whose end is the end of what it has not kept.

import { hostname } from 'node:os'
import type { Server } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio as serveProtocol } from '@modelcontextprotocol/server/stdio'
import { failure } from '../contract/errors.ts'
import { scopes } from '../contract/operation.ts'
import { filesHere } from '../transfer/here.ts'
import { openCatalogs } from './catalogs.ts'
import type { Asker, ToolFleet } from './fleet.ts'
import { instructionsFor } from './instructions.ts'
import { openInvocations } from './invocations.ts'
import { toolServer } from './server.ts'
import { watchFleet } from './watch.ts'

export interface StdioOf {
  readonly fleet: ToolFleet
  readonly version: string
  /** Directories of this machine in which files are read and written; the first is where relative paths begin. */
  readonly roots: readonly string[]
  /** Ends it from this side. */
  readonly signal: AbortSignal
}

/** Where the hub cannot be asked yet, everything is shown: it is the hub that refuses. */
const unknownAsker: Asker = { id: 'stdio', scopes: new Set(scopes) }

/** Resolves when the client has gone, and what it had begun and not kept is being ended. */
export async function serveStdio({ fleet, version, roots, signal }: StdioOf): Promise<void> {
  const catalogs = openCatalogs()
  const invocations = openInvocations()
  const leaving = new AbortController()
  const over = Promise.withResolvers<void>()
  const subscribed = new Set<string>()
  const here = async () => ({ caller: filesHere({ roots }), name: '', id: hostname(), roots })
  let pinned: { readonly server: Server; readonly isLegacy: boolean } | undefined

  const transport = new StdioServerTransport()
  const handle = serveProtocol(
    async ({ era }) => {
      const asker = await fleet.asker().catch(() => unknownAsker)
      const box = { fleet, asker, catalogs, invocations, here }
      const instructions = await instructionsFor({ fleet, owner: asker.id, catalogs })
      const isLegacy = era === 'legacy'
      const server = toolServer({ box, version, instructions, tells: true, ...(isLegacy && { subscribed }) })
      pinned = { server, isLegacy }
      return server
    },
    { transport },
  )
  const closed = transport.onclose
  transport.onclose = () => {
    closed?.()
    over.resolve()
  }
  const stop = () => void handle.close()
  signal.addEventListener('abort', stop, { once: true })
  void watchFleet(
    fleet,
    ({ uris, list }) => {
      if (pinned?.server.getNegotiatedProtocolVersion() === undefined) return
      const { server, isLegacy } = pinned
      // Newer clients say what they want to hear to the transport, which leaves out the rest.
      for (const uri of uris) if (!isLegacy || subscribed.has(uri)) tell(server.sendResourceUpdated({ uri }))
      if (list) tell(server.sendResourceListChanged())
    },
    leaving.signal,
  )
  await over.promise
  signal.removeEventListener('abort', stop)
  leaving.abort(failure('call.cancelled'))
  invocations.close(failure('call.cancelled'))
}

/** A client that has gone is noticed by the end of its input. */
function tell(sent: Promise<void>): void {
  sent.catch(() => undefined)
}
