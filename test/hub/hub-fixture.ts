// A hub in this process on a home of its own, and nodes that join it over a channel in memory: the real handshake, no sockets.

import { join } from 'node:path'
import pino from 'pino'
import type { Caller } from '../../src/contract/caller.ts'
import { direct } from '../../src/contract/direct.ts'
import { submitRun } from '../../src/contract/fleet.ts'
import { enrollNode, showHost } from '../../src/contract/host.ts'
import type { Implementation, Principal } from '../../src/contract/implementation.ts'
import { type InputOf, scopes } from '../../src/contract/operation.ts'
import { getRun, isTerminal, type Run, type RunSpecInput } from '../../src/contract/run.ts'
import { openHost } from '../../src/host/host.ts'
import { type Hub, openHub } from '../../src/hub/hub.ts'
import type { Channel } from '../../src/wire/channel.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import { dialHandshake } from '../../src/wire/handshake.ts'
import { type Identity, temporaryIdentity } from '../../src/wire/identity.ts'
import { createPeer } from '../../src/wire/peer.ts'
import { type Home, makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'

const operator: Principal = { kind: 'user', id: 'test', role: 'operator', scopes: new Set(scopes) }
const log = pino({ level: 'silent' })

export interface TestHub extends AsyncDisposable {
  readonly home: Home
  readonly hub: Hub
  readonly caller: Caller
  host(ref: string): Promise<Caller>
  submit(spec: RunSpecInput, more?: Omit<InputOf<typeof submitRun>, 'spec'>): Promise<Run>
  endOf(run: Run): Promise<Run>
  /** A node's process, as it were: a host of its own whose link can be cut and made again. `offers`: what it answers, if not its host's own. */
  join(name: string, offers?: (its: Implementation) => Implementation, allow?: readonly string[]): Promise<TestNode>
  /** Takes a channel as a dialled one. */
  acceptTunnel(channel: Channel): Promise<void>
  /** Takes a channel of a machine that asks to be let in. */
  acceptPairing(channel: Channel, address?: string): Promise<void>
}

export interface TestNode extends AsyncDisposable {
  readonly host: string
  readonly home: Home
  /** Asks its host itself, past the hub. */
  readonly caller: Caller
  cut(): Promise<void>
  /** With a token, or with its key alone. */
  dial(token?: string): Promise<void>
}

export async function openTestHub(options: { storeUrl?: string; home?: Home } = {}): Promise<TestHub> {
  await using opened = new AsyncDisposableStack()
  const home = options.home ?? opened.use(await makeHome())
  const hub = opened.use(
    await openHub({
      home: home.path,
      version: '0.0.0-test',
      log,
      ...(options.storeUrl !== undefined && { storeUrl: options.storeUrl }),
    }),
  )
  const caller = direct(hub.offers, operator)
  const host = async (ref: string) => direct(await hub.host(ref), operator)

  async function joinNode(
    name: string,
    offers = (its: Implementation) => its,
    allow: readonly string[] = ['runs'],
  ): Promise<TestNode> {
    const enrolled = await caller.call(enrollNode, { name })
    const node = new AsyncDisposableStack()
    const itsHome = node.use(await makeHome())
    const itsHost = node.use(
      await openHost({ home: join(itsHome.path, 'host'), musterHome: itsHome.path, name, policy: { allow }, log }),
    )
    const identity = temporaryIdentity()
    let peer = await dial(enrolled.token)
    async function dial(credential?: string) {
      const [hubEnd, nodeEnd] = memoryChannels()
      const admitted = hub.acceptTunnel(hubEnd, { address: 'memory' })
      await shakeHands(nodeEnd, identity, credential)
      const made = createPeer(nodeEnd, { offers: offers(itsHost.offers), principal: operator })
      await admitted
      return made
    }
    return {
      host: enrolled.host,
      home: itsHome,
      caller: direct(itsHost.offers, operator),
      async cut() {
        await peer[Symbol.asyncDispose]()
        await until(`${name} is offline`, async () => {
          const { status } = await caller.call(showHost, { host: name })
          return status === 'offline' ? true : undefined
        })
      },
      async dial(token) {
        peer = await dial(token)
      },
      async [Symbol.asyncDispose]() {
        await peer[Symbol.asyncDispose]()
        await node.disposeAsync()
      },
    }
  }

  const closing = opened.move()
  return {
    home,
    hub,
    caller,
    host,
    join: joinNode,
    acceptTunnel: (channel) => hub.acceptTunnel(channel, { address: 'memory' }),
    acceptPairing: (channel, address = 'memory') => hub.acceptPairing(channel, { address }),
    submit: (spec, more) => caller.call(submitRun, { spec, ...more }),
    endOf: (run) =>
      until(`${run.id} ends`, async () => {
        const now = await (await host(run.host)).call(getRun, { run: run.id })
        return isTerminal(now.state) ? now : undefined
      }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function shakeHands(channel: Parameters<typeof dialHandshake>[0], identity: Identity, credential?: string): Promise<void> {
  await dialHandshake(channel, {
    identity,
    role: 'node',
    software: '0.0.0-test',
    timeoutMs: 30_000,
    ...(credential !== undefined && { credential }),
  })
}
