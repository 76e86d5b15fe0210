// A hub in this process that ends TLS itself on loopback, by a clock of the test's own, and nodes that dial it over real TLS.

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pino from 'pino'
import { startApi } from '../../src/api/api.ts'
import { leaveTunnel, linkTunnel, listJoinedHubs, type TunnelState } from '../../src/connectors/links.ts'
import type { Caller } from '../../src/contract/caller.ts'
import { direct } from '../../src/contract/direct.ts'
import { asMusterError, type MusterError } from '../../src/contract/errors.ts'
import { enrollNode, showHost } from '../../src/contract/host.ts'
import type { Implementation, Principal } from '../../src/contract/implementation.ts'
import { openHost } from '../../src/host/host.ts'
import { openHub, type TlsChoice } from '../../src/hub/hub.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'

const operator: Principal = { kind: 'user', id: 'test', role: 'operator', scopes: new Set(['read', 'operate', 'admin']) }

export interface TlsHub extends AsyncDisposable {
  readonly caller: Caller
  /** What one of its hosts can be asked through it. */
  host(ref: string): Promise<Implementation>
  /** wss:// on loopback. */
  readonly url: string
  /** Moves the hub's clock. */
  pass(ms: number): void
  /** Whether the hub, or a node, has logged it. */
  logged(text: string): boolean
  /** Enrols a host and makes its machine; its node is not started yet. */
  enrol(name: string): Promise<Machine>
}

export interface Machine {
  readonly name: string
  readonly host: string
  readonly token: string
  /** What the command that was printed says, if it says one. */
  readonly pin: string | undefined
  /** The file with its certificate. */
  readonly file: string
  certificate(): Promise<{ shown: { key: string; cert: string } | null; roots: { pin: string; certificates: string[] } | null }>
  keep(certificate: unknown): Promise<void>
  /** Starts its node. */
  dial(how?: {
    token?: string
    pin?: string
    caFile?: string
    url?: string
    offers?: (its: Implementation) => Implementation
  }): Dialled
  untilOnline(dialled: Dialled): Promise<void>
  /** Takes it out of the hub's fleet, as its own command does. */
  leave(): Promise<void>
}

export interface Dialled {
  readonly states: readonly TunnelState[]
  /** Why it ended for good; undefined when it was told to. */
  readonly ended: Promise<MusterError | undefined>
  stop(): Promise<void>
}

export async function openTlsHub(tls: TlsChoice): Promise<TlsHub> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const said: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void said.push(line) })
  let passed = 0
  const hub = opened.use(await openHub({ home: home.path, version: '0.0.0-test', log, tls, now: () => Date.now() + passed }))
  const api = opened.use(
    await startApi({
      hub,
      tls: hub.tls,
      bind: { host: '127.0.0.1', port: 0 },
      socketPath: join(home.path, 'hub', 'hub.sock'),
      allowHosts: [],
      log,
    }),
  )
  hub.listening(api.urls)
  const url = (api.urls[0] as string).replace('https', 'wss')
  const caller = direct(hub.offers, operator)

  const machines = opened.use(new AsyncDisposableStack())
  async function enrol(name: string): Promise<Machine> {
    const { host, token, command } = await caller.call(enrollNode, { name })
    const itsHome = machines.use(await makeHome())
    const itsHost = machines.use(
      await openHost({ home: join(itsHome.path, 'host'), musterHome: itsHome.path, name, policy: { allow: ['runs'] }, log }),
    )
    const file = join(itsHome.path, 'node', 'certificates', `${hub.id}.json`)
    return {
      name,
      host,
      token,
      pin: / --pin (\S+)/.exec(command)?.[1],
      file,
      certificate: async () => JSON.parse(await readFile(file, 'utf8')),
      keep: async (certificate) => {
        await rm(file, { force: true })
        if (certificate !== undefined) await writeFile(file, JSON.stringify(certificate), { mode: 0o600 })
      },
      dial({ token, pin, caFile, url: dialled = url, offers = (its: Implementation) => its } = {}) {
        const leaving = new AbortController()
        const states: TunnelState[] = []
        const ended = linkTunnel({
          hubUrl: dialled,
          home: itsHome.path,
          host: { offers: offers(itsHost.offers) },
          version: '0.0.0-test',
          log,
          signal: leaving.signal,
          ...(token !== undefined && { token }),
          ...(pin !== undefined && { trust: { pin } }),
          ...(caFile !== undefined && { trust: { caFile } }),
          onState: (state) => states.push(state),
        }).then(() => undefined, asMusterError)
        const stop = async () => {
          leaving.abort()
          await ended
        }
        machines.defer(stop)
        return { states, ended, stop }
      },
      async untilOnline(dialled) {
        await until(`${name} is online`, async () => {
          const { status } = await caller.call(showHost, { host: name })
          return status === 'online' && dialled.states.at(-1)?.online ? true : undefined
        })
      },
      async leave() {
        for (const joined of await listJoinedHubs(join(itsHome.path, 'node')))
          await leaveTunnel(joined, { home: itsHome.path, version: '0.0.0-test' })
      },
    }
  }

  const closing = opened.move()
  return {
    caller,
    host: hub.host,
    url,
    pass: (ms) => {
      passed += ms
    },
    logged: (text) => said.some((line) => line.includes(text)),
    enrol,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
