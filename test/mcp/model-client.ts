// Real clients of the Model Context Protocol, as a model's program has them: the official ones, of the newer and of the older line.

import { Client as NewClient, StreamableHTTPClientTransport as NewHttp } from '@modelcontextprotocol/client'
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { checkout } from '../resources/muster.ts'

export interface ModelClient extends AsyncDisposable {
  readonly revision: string | undefined
  readonly instructions: string
  tools(): Promise<{ name: string; description?: string | undefined; inputSchema: unknown }[]>
  /** What the tool says; the text begins with `ERROR ` where it failed. */
  call(name: string, args?: Record<string, unknown>, how?: How): Promise<string>
  resources(): Promise<string[]>
  read(uri: string): Promise<string>
}

export interface How {
  readonly signal?: AbortSignal
  readonly onProgress?: (message: string) => void
}

export interface Spoken {
  /** `new`: the revision of 2026-07-28, by the newer package. `old`: by the handshake, by the older one. */
  readonly line: 'new' | 'old'
  readonly at:
    | { readonly url: string; readonly token: string }
    | { readonly home: string; readonly env?: Record<string, string>; readonly args?: readonly string[] }
}

const me = { name: 'test', version: '1' }

export async function modelClient({ line, at }: Spoken): Promise<ModelClient> {
  const client = line === 'new' ? new NewClient(me, { versionNegotiation: { mode: { pin: '2026-07-28' } } }) : new OldClient(me)
  await (client as NewClient).connect(transportTo({ line, at }) as NewHttp)
  const it = client as NewClient
  return {
    revision: line === 'new' ? it.getNegotiatedProtocolVersion() : '2025-11-25',
    instructions: it.getInstructions() ?? '',
    tools: async () => (await it.listTools()).tools,
    async call(name, args = {}, { signal, onProgress } = {}) {
      const options = {
        ...(signal && { signal }),
        ...(onProgress && { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message ?? '') }),
        timeout: 120_000,
      }
      const asked = { name, arguments: args }
      const answer =
        line === 'new' ? await it.callTool(asked, options) : await (client as OldClient).callTool(asked, undefined, options)
      const content = answer.content as { type: string; text?: string }[]
      return `${answer.isError ? 'ERROR ' : ''}${content.map(({ text, type }) => text ?? `(${type})`).join('\n')}`
    },
    resources: async () => (await it.listResources()).resources.map(({ uri }) => uri),
    read: async (uri) => (await it.readResource({ uri })).contents.map((one) => ('text' in one ? one.text : '')).join('\n'),
    [Symbol.asyncDispose]: () => it.close(),
  }
}

function transportTo({ line, at }: Spoken): unknown {
  if ('home' in at) {
    const program = {
      command: process.execPath,
      args: [checkout, 'mcp', ...(at.args ?? [])],
      env: { ...(process.env as Record<string, string>), ...at.env, MUSTER_HOME: at.home },
      stderr: 'ignore' as const,
    }
    return line === 'new' ? new NewStdio(program) : new OldStdio(program)
  }
  const url = new URL('/mcp', at.url)
  const requestInit = { headers: { Authorization: `Bearer ${at.token}` } }
  return line === 'new' ? new NewHttp(url, { requestInit }) : new OldHttp(url, { requestInit })
}
