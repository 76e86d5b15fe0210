// A hub in one network namespace, and hosts that it reaches over a cable each, in each of the ways that need a network.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { asMusterError } from '../../src/contract/errors.ts'
import { getHubInfo } from '../../src/contract/fleet.ts'
import { addHost, enrollNode } from '../../src/contract/host.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { socketPath } from '../../src/wire/channels/socket-path.ts'
import { makeHome, start, until } from '../resources/muster.ts'
import { openSshd } from '../resources/sshd.ts'
import type { Cable, Network } from './namespaces.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))
const relay = fileURLToPath(new URL('../programs/relay.ts', import.meta.url))
const port = 7878
const sshPort = 22

export interface FarHub extends AsyncDisposable {
  readonly home: string
  /** Over its socket, for which networks do not matter. */
  readonly client: HubClient
}

/** For hosts on cables that were plugged before: it has to know its addresses. */
export async function serveFarHub({ underHub }: Network, cables: readonly Cable[]): Promise<FarHub> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const names = cables.flatMap(({ hubAddress }) => ['--allow-host', hubAddress])
  const served = start(
    home.path,
    ['hub', 'serve', '--bind', `0.0.0.0:${port}`, '--no-open', '--token-stdin', ...names],
    {},
    'a-token-of-the-hub',
    { under: underHub },
  )
  opened.use(served)
  const client = clientIn(home.path)
  opened.defer(() => client.close())
  await answers(client, served)
  const closing = opened.move()
  return { home: home.path, client, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

export interface FarHost {
  readonly name: string
  /** How it got there. */
  readonly log: () => string
}

export interface Reaching {
  readonly name: string
  readonly hub: FarHub
  readonly network: Network
  readonly cable: Cable
  /** On the way that is dialled, each way. */
  readonly latencyMs: number
  readonly opened: AsyncDisposableStack
}

/** The ways to reach one; what is made is disposed with `opened`. Each resolves when the host is told of; it may not be online yet. */
export const reach = { tunnel: reachByTunnel, ssh: reachBySsh, http: reachByHttp } as const

async function reachByTunnel({ name, hub, network, cable, latencyMs, opened }: Reaching): Promise<FarHost> {
  const home = opened.use(await makeHome())
  const direct = `http://${cable.hubAddress}:${port}`
  const url = latencyMs === 0 ? direct : await openRelay(network.underHub, cable.hubAddress, direct, latencyMs, opened)
  const { token } = await hub.client.hub.call(enrollNode, { name })
  const args = ['node', '--hub', url.replace('http', 'ws'), '--allow', 'runs', '--insecure', '--token-stdin']
  const node = opened.use(start(home.path, args, {}, token, { under: cable.underHost }))
  return { name, log: node.log }
}

async function reachByHttp({ name, hub, cable, latencyMs, opened }: Reaching): Promise<FarHost> {
  const home = opened.use(await makeHome())
  const direct = `http://${cable.hostAddress}:${port}`
  const args = ['hub', 'serve', '--bind', `${cable.hostAddress}:${port}`, '--no-open', '--token-stdin']
  args.push('--allow-host', cable.hostAddress)
  const secret = 'a-token-of-the-other-hub'
  const other = opened.use(start(home.path, args, {}, secret, { under: cable.underHost }))
  const own = clientIn(home.path)
  opened.defer(() => own.close())
  await answers(own, other)
  const url = latencyMs === 0 ? direct : await openRelay(cable.underHost, cable.hostAddress, direct, latencyMs, opened)
  const connector = { kind: 'http', url, insecure: true }
  await hub.client.hub.call(addHost, { name, connector, secret, probe: false })
  return { name, log: other.log }
}

async function reachBySsh({ name, hub, cable, latencyMs, opened }: Reaching): Promise<FarHost> {
  const home = opened.use(await makeHome())
  const file = (of: string) => join(home.path, of)
  const sshd = opened.use(await openSshd({ address: cable.hostAddress, port: sshPort, under: cable.underHost }))
  const direct = `http://${cable.hostAddress}:${sshPort}`
  const at = latencyMs === 0 ? direct : await openRelay(cable.underHost, cable.hostAddress, direct, latencyMs, opened)
  await writeFile(file('known_hosts'), sshd.known.replace(/^\S+/, name), { mode: 0o600 })
  const ours = [`Port ${new URL(at).port || 80}`, `HostKeyAlias ${name}`, `UserKnownHostsFile ${file('known_hosts')}`]
  // The first that is said of a thing counts.
  await writeFile(file('ssh_config'), [`Host ${name}`, ...ours, sshd.entry(name)].join('\n'), { mode: 0o600 })
  const script = ['#!/bin/sh', `export MUSTER_HOME='${home.path}'`, `exec '${process.execPath}' '${bin}' "$@"`, '']
  await writeFile(file('muster'), script.join('\n'), { mode: 0o700 })
  const connector = { kind: 'ssh', destination: name, configFile: file('ssh_config'), remoteCommand: file('muster') }
  await hub.client.hub.call(addHost, { name, connector, probe: false })
  return { name, log: () => '' }
}

async function openRelay(
  under: readonly string[],
  address: string,
  target: string,
  latencyMs: number,
  opened: AsyncDisposableStack,
): Promise<string> {
  const [program = '', ...before] = [...under, process.execPath]
  const child = spawn(program, [...before, relay, address, target, `${latencyMs}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  opened.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return url
}

function clientIn(home: string): HubClient {
  return connectHub({ socketPath: socketPath(join(home, 'hub'), 'hub.sock') })
}

async function answers({ hub }: HubClient, served: { log: () => string }): Promise<void> {
  await until(
    'the hub answers',
    async () => {
      try {
        return await hub.call(getHubInfo, {})
      } catch (error) {
        if (asMusterError(error).retryable) return undefined
        throw error
      }
    },
    { log: served.log },
  )
}
