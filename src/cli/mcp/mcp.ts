// `muster mcp`: serves the tools until its client goes away. Standard output belongs to the protocol.

import { realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { showCaller } from '../../contract/token.ts'
import type { ToolFleet } from '../../mcp/fleet.ts'
import type { HubClient } from '../../sdk/client.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { stopRequested } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface McpOptions {
  readonly root?: string[]
  readonly instructions?: true
}

export const mcp: Action<McpOptions, []> = async (terminal, { root, instructions }) => {
  // A client may start this before there is a hub: each call says so until there is one.
  let connected: (HubClient & Disposable) | undefined
  const fleet = fleetOf(() => {
    connected ??= connect(terminal)
    return connected
  })
  try {
    if (instructions) {
      const { instructionsText } = await import('../../mcp/overview.ts')
      const text = await instructionsText(fleet)
      return { json: { instructions: text }, text }
    }
    if (terminal.stdin.isTTY)
      terminal.say("This speaks to a model's client, which starts it by itself (docs/mcp.md). Ctrl-C ends it.")
    const { serveStdio } = await import('../../mcp/stdio.ts')
    const stopping = new AbortController()
    void stopRequested({ hangup: true }).then(() => stopping.abort(failure('call.cancelled')))
    await serveStdio({ fleet, version: softwareVersion, roots: await rootsOf(terminal, root), signal: stopping.signal })
    return { json: null, shown: true }
  } finally {
    connected?.close()
  }
}

function fleetOf(client: () => HubClient): ToolFleet {
  return {
    get hub() {
      return client().hub
    },
    host: async (ref) => client().host(ref),
    asker: async () => {
      const { id, scopes } = await client().hub.call(showCaller, {})
      return { id, scopes: new Set(scopes) }
    },
  }
}

/** Throws `file.unreadable`. */
async function rootsOf({ cwd }: Terminal, named: readonly string[] | undefined): Promise<string[]> {
  const here = await wholePath(cwd)
  if (named) return await Promise.all(named.map((one) => wholePath(resolve(cwd, one))))
  // A client that was started from a desktop has no directory of its own: nothing was meant by it.
  return here === '/' || here === (await wholePath(homedir())) ? [] : [here]
}

async function wholePath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    throw failure('file.unreadable', { file: path, problem: describeFileProblem(error) }, { cause: error })
  }
}
