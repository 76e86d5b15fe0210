// One protocol server for one asker: the tools and the resources in the words of the Model Context Protocol, of whichever revision the
// client speaks.

import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  Server,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server'
import { shownTool } from './definitions.ts'
import { environmentTemplate, listResources, readResource } from './resources.ts'
import { callTool, type Toolbox, toolsFor } from './tools.ts'

export interface ToolServerOf {
  readonly box: Toolbox
  readonly version: string
  readonly instructions: string | undefined
  /** The client can be told of changes: of those it has named, or of all where `subscribed` is not given. */
  readonly tells: boolean
  readonly subscribed?: Set<string>
}

const tellEveryMs = 500
const heartbeatMs = 10_000

export function toolServer({ box, version, instructions, tells, subscribed }: ToolServerOf): Server {
  const listing = { fleet: box.fleet, owner: box.asker.id, catalogs: box.catalogs }
  const server = new Server(
    { name: 'muster', title: 'Muster', version },
    {
      capabilities: { tools: {}, resources: tells ? { subscribe: true, listChanged: true } : {} },
      ...(instructions !== undefined && { instructions }),
    },
  )
  server.setRequestHandler('tools/list', () => ({ tools: toolsFor(box.asker).map(shownTool) as Tool[] }))
  server.setRequestHandler('tools/call', async ({ params: { name, arguments: given } }, context) => {
    using telling = progressTo(context)
    const answer = await callTool(box, name, given, { signal: context.mcpReq.signal, tell: telling.tell })
    if (!answer) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool ${name}: tools/list has them.`)
    return answer
  })
  server.setRequestHandler('resources/list', async (_request, { mcpReq: { signal } }) => ({
    resources: await listResources(listing, signal),
  }))
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [
      { uriTemplate: environmentTemplate, name: 'environment', title: 'Environment', description: 'A machine and its commands' },
    ],
  }))
  server.setRequestHandler('resources/read', async ({ params: { uri } }, { mcpReq: { signal } }) => {
    const text = await readResource(listing, uri, signal)
    if (text === undefined) throw new ResourceNotFoundError(uri)
    return { contents: [{ uri, mimeType: 'text/plain', text }] }
  })
  if (subscribed) {
    server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
      if (subscribed.size < mostSubscribed) subscribed.add(uri)
      return {}
    })
    server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
      subscribed.delete(uri)
      return {}
    })
  }
  return server
}

const mostSubscribed = 1_000

/** Progress for a client that has asked for it: what is new, no oftener than it can be read, and a word now and then in any case. */
function progressTo({ mcpReq }: ServerContext): Disposable & { tell: (message: string) => void } {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return { tell: () => undefined, [Symbol.dispose]: () => undefined }
  let progress = 0
  let toldAtMs = Number.NEGATIVE_INFINITY
  const send = (message: string) => {
    toldAtMs = performance.now()
    progress++
    // A client that is gone is noticed by its signal.
    mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, message } }).catch(() => undefined)
  }
  const heartbeat = setInterval(() => send('still running'), heartbeatMs)
  return {
    tell: (message) => {
      if (performance.now() - toldAtMs >= tellEveryMs) send(message)
    },
    [Symbol.dispose]: () => clearInterval(heartbeat),
  }
}
