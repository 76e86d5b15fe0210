// The tools over streamable HTTP: each request is answered by itself, as whoever its token is. There are no sessions: what a client began
// has a handle, which is good for the same token alone.

import {
  createMcpHandler,
  InMemoryServerEventBus,
  ProtocolErrorCode,
  type ServerEvent,
  type ServerEventBus,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { failure, type MusterError } from '../contract/errors.ts'
import { localHost } from '../contract/names.ts'
import type { Side } from '../transfer/side.ts'
import { openCatalogs } from './catalogs.ts'
import type { Asker, ToolFleet } from './fleet.ts'
import { held } from './held.ts'
import { newSession, requestsInFlight, sessionHeader } from './in-flight.ts'
import { instructionsFor } from './instructions.ts'
import { openInvocations } from './invocations.ts'
import { toolServer } from './server.ts'
import { watchFleet } from './watch.ts'

export interface HttpTools {
  /** `body`: the request's, already parsed. The request's signal aborts at its end, and ends what it has begun. */
  answer(request: Request, body: unknown, as: HttpAsker): Promise<Response>
  /** Ends what is waited for, for this reason. */
  end(reason: MusterError): void
}

export interface HttpAsker {
  readonly fleet: ToolFleet
  readonly asker: Asker
}

export interface HttpToolsOf {
  readonly version: string
  /** The hub as one sees it who may only read: what subscribers are told of is the same for all of them. */
  readonly watcher: ToolFleet
  readonly onError: (error: Error) => void
}

/** Requests whose answer tells a client what it has to know first. */
const introductions: ReadonlySet<unknown> = new Set(['initialize', 'server/discover'])
const mostSubscriptions = 256
/** One asker keeps nobody else from subscribing. */
const mostOfOneAsker = 32

export function openHttpTools({ version, watcher, onError }: HttpToolsOf): HttpTools {
  const catalogs = openCatalogs()
  const invocations = openInvocations()
  const asking = new WeakMap<Request, HttpAsker & { readonly introduces: boolean }>()
  const bus = watchingBus(watcher, onError)
  const flying = requestsInFlight()
  const subscribed = countOf()
  const handler = createMcpHandler(
    async ({ era, requestInfo }) => {
      const as = requestInfo && asking.get(requestInfo)
      if (!as) throw failure('auth.required')
      const { fleet, asker, introduces } = as
      const instructions = introduces ? await instructionsFor({ fleet, owner: asker.id, catalogs }) : undefined
      return toolServer({
        box: { fleet, asker, catalogs, invocations, here: () => hubsDisk(fleet) },
        version,
        instructions,
        tells: era === 'modern',
      })
    },
    { bus, maxSubscriptions: mostSubscriptions, onerror: onError },
  )
  return {
    async answer(request, body, as) {
      const { method, id, cancels } = messageOf(body)
      const { id: owner } = as.asker
      if (method === 'subscriptions/listen' && !subscribed.enter(owner, request.signal)) return tooManySubscriptions(id)
      const session = request.headers.get(sessionHeader)
      if (session !== null && cancels !== undefined) flying.cancel(owner, session, cancels)
      const followed =
        session !== null && id !== undefined
          ? held(new Request(request, { signal: flying.enter(owner, session, id, request.signal) }), request.signal)
          : request
      asking.set(followed, { ...as, introduces: introductions.has(method) })
      const response = await handler.fetch(followed, { parsedBody: body })
      if (method === 'initialize' && response.ok) response.headers.set(sessionHeader, newSession())
      return response
    },
    end(reason) {
      bus.close()
      invocations.close(reason)
    },
  }
}

/** How many requests of an asker are under way, as far as they were let in here. */
function countOf(): { enter(owner: string, signal: AbortSignal): boolean } {
  const counts = new Map<string, number>()
  return {
    enter(owner, signal) {
      const count = counts.get(owner) ?? 0
      if (count >= mostOfOneAsker || signal.aborted) return false
      counts.set(owner, count + 1)
      const leave = () => {
        const left = (counts.get(owner) ?? 1) - 1
        if (left > 0) counts.set(owner, left)
        else counts.delete(owner)
      }
      signal.addEventListener('abort', leave, { once: true })
      return true
    },
  }
}

function tooManySubscriptions(id: string | number | undefined): Response {
  const message = `This token has ${mostOfOneAsker} subscriptions open: end one of them first.`
  return Response.json({ jsonrpc: '2.0', id: id ?? null, error: { code: ProtocolErrorCode.InternalError, message } })
}

/** What is local to who comes over the network is the hub's own machine, by what it permits as a host. */
async function hubsDisk(fleet: ToolFleet): Promise<Side> {
  return { caller: await fleet.host(localHost), name: localHost, id: localHost }
}

const RequestId = z.union([z.string().max(200), z.number()])
const Message = z.object({
  method: z.string(),
  id: RequestId.optional(),
  params: z.object({ requestId: RequestId.optional() }).optional(),
})

/** What is needed here of a request or notification; whether it is a good one is for the protocol to say. */
function messageOf(body: unknown): { method?: string; id?: string | number | undefined; cancels?: string | number | undefined } {
  const { data } = Message.safeParse(body)
  if (!data) return {}
  const { method, id, params } = data
  return { method, id, cancels: method === 'notifications/cancelled' ? params?.requestId : undefined }
}

/** Follows the hub's events for as long as somebody has subscribed. */
function watchingBus(watcher: ToolFleet, onError: (error: Error) => void): ServerEventBus & { close(): void } {
  const bus = new InMemoryServerEventBus(onError)
  let watching: AbortController | undefined
  const stop = () => {
    watching?.abort(failure('call.cancelled'))
    watching = undefined
  }
  return {
    publish: (event: ServerEvent) => bus.publish(event),
    subscribe(listener) {
      if (!watching) {
        watching = new AbortController()
        const tell = ({ uris, list }: { uris: readonly string[]; list: boolean }) => {
          for (const uri of uris) bus.publish({ kind: 'resource_updated', uri })
          if (list) bus.publish({ kind: 'resources_list_changed' })
        }
        void watchFleet(watcher, tell, watching.signal)
      }
      const unsubscribe = bus.subscribe(listener)
      return () => {
        unsubscribe()
        if (bus.listenerCount === 0) stop()
      }
    },
    close: stop,
  }
}
