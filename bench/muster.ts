// A hub and nodes for a figure: real processes on homes of their own, asked over HTTP with a token as any program asks.

import type { Caller } from '../src/contract/caller.ts'
import { followEvents } from '../src/contract/event.ts'
import { submitRun } from '../src/contract/fleet.ts'
import { enrollNode } from '../src/contract/host.ts'
import type { Run } from '../src/contract/run.ts'
import { createToken } from '../src/contract/token.ts'
import { connectHub, type HubClient } from '../src/sdk/client.ts'
import { socketPath } from '../src/wire/channels/socket-path.ts'
import { type Home, joinNode, makeHome, type ServedHub, serveHub } from '../test/resources/muster.ts'

export interface Muster extends AsyncDisposable {
  readonly home: Home
  readonly hub: ServedHub
  readonly client: HubClient
  /** Starts a node and waits until the hub sees it. Ends with the hub. */
  join(name: string, allow?: readonly string[]): Promise<{ readonly pid: number }>
  /** A token for a node that is to dial in. */
  enroll(name: string): Promise<string>
  /** Runs something to its end, so that the host's keeper is up. */
  warm(host: string): Promise<void>
  /** Submits a command for a host. */
  submit(host: string, argv: string[]): Promise<Run>
}

/** Starts a hub; `bin` is another `muster` than this checkout's, for its nodes too. Disposing ends every process of it and of its nodes, and deletes their homes. */
export async function startMuster(options: { bind?: string; bin?: string } = {}): Promise<Muster> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const hub = opened.use(await serveHub(home, options))
  const client = await clientOf(hub)
  opened.defer(() => client.close())
  const submit = (host: string, argv: string[]) => client.hub.call(submitRun, { host, spec: { kind: 'command', argv } })
  const closing = opened.move()
  return {
    home,
    hub,
    client,
    async join(name, allow = ['runs']) {
      const node = closing.use(await joinNode(hub, name, closing.use(await makeHome()), { ...options, allow }))
      return { pid: node.pid }
    },
    enroll: async (name) => (await client.hub.call(enrollNode, { name })).token,
    async warm(host) {
      const { id } = await submit(host, ['true'])
      await endOf(client.host(host), id)
    },
    submit,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Follows a run to its end. */
export async function endOf(host: Caller, run: string): Promise<void> {
  await Array.fromAsync(host.items(followEvents, { run, follow: true }))
}

/** A client over TCP, with an operator's token. */
async function clientOf({ home, url }: ServedHub): Promise<HubClient> {
  const local = connectHub({ socketPath: socketPath(`${home}/hub`, 'hub.sock') })
  const { token } = await local.hub.call(createToken, { name: 'bench', role: 'operator' })
  local.close()
  return connectHub({ url, token })
}
