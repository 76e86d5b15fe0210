// A hub in this process, with its API listening, and nodes as processes that dial it: for what is asked at the hub itself.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { startApi } from '../src/api/api.ts'
import type { Caller } from '../src/contract/caller.ts'
import { direct } from '../src/contract/direct.ts'
import { enrollNode, showHost } from '../src/contract/host.ts'
import type { Principal } from '../src/contract/implementation.ts'
import { roleScopes } from '../src/contract/token.ts'
import { openHub } from '../src/hub/hub.ts'
import { softwareVersion } from '../src/wire/protocol.ts'
import { makeHome, musterJson, until } from '../test/resources/muster.ts'

export interface HubHere extends AsyncDisposable {
  readonly url: string
  /** Asks the hub itself, as an operator would. */
  readonly hub: Caller
  /** Asks a host through the hub, as an operator would. */
  host(name: string): Promise<Caller>
  /** A token for a node that is to dial in. */
  enroll(name: string): Promise<string>
  /** Starts `muster node`, and waits until it is online; answers its process. Ends with the hub. `asks`: a command that wants approval there. */
  join(name: string, how?: { readonly asks?: string }): Promise<number>
}

const bin = fileURLToPath(new URL('../bin/muster.js', import.meta.url))
const operator: Principal = { kind: 'user', id: 'bench', role: 'operator', scopes: new Set(roleScopes.operator) }

export async function openHubHere(): Promise<HubHere> {
  await using opened = new AsyncDisposableStack()
  const log = pino({ level: 'silent' })
  const home = opened.use(await makeHome())
  const hub = opened.use(await openHub({ home: home.path, version: softwareVersion, log }))
  const bind = { host: '127.0.0.1', port: 0 }
  const api = opened.use(await startApi({ hub, bind, socketPath: join(home.path, 'hub.sock'), allowHosts: [], log }))
  hub.listening(api.urls)
  const url = (api.urls[0] as string).replace(/^http/, 'ws')
  const caller = direct(hub.offers, operator)

  const enroll = async (name: string) => (await caller.call(enrollNode, { name })).token

  async function joinNode(name: string, { asks }: { readonly asks?: string } = {}): Promise<number> {
    const token = await enroll(name)
    const nodeHome = closing.use(await makeHome())
    if (asks !== undefined) await musterJson(nodeHome.path, ['node', 'expose', asks, '--ask'])
    const args = [bin, 'node', '--hub', url, '--allow', 'runs', '--allow', 'procs', '--allow', 'system.*', '--token-stdin']
    const env = { ...process.env, MUSTER_HOME: nodeHome.path }
    const node = spawn(process.execPath, args, { env, stdio: ['pipe', 'ignore', 'ignore'] })
    const ended = once(node, 'close')
    closing.defer(async () => {
      node.kill('SIGKILL')
      await ended
    })
    node.stdin.end(token)
    await untilOnline(caller, name)
    return node.pid as number
  }

  const closing = opened.move()
  return {
    url,
    hub: caller,
    host: async (name) => direct(await hub.host(name), operator),
    enroll,
    join: joinNode,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

function untilOnline(hub: Caller, name: string): Promise<true> {
  return until(`${name} is online`, async () => {
    const { status } = await hub.call(showHost, { host: name })
    return status === 'online' ? true : undefined
  })
}
