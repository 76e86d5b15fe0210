// A hub served in this process: home, hub, API, and the record by which others find it. Assembled here once, for `hub serve` and `up`.

import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { startApi } from '../api/api.ts'
import { descriptorLimit, descriptorShares } from '../api/descriptors.ts'
import { failure } from '../contract/errors.ts'
import { openHub, type TlsChoice } from '../hub/hub.ts'
import { socketPath } from '../wire/channels/socket-path.ts'
import { softwareVersion } from '../wire/protocol.ts'
import type { Home } from './home.ts'
import { findHub, type HubRecord, removeHubRecord, writeHubRecord } from './hub-record.ts'
import { warnOfFewDescriptors } from './low-descriptors.ts'
import type { Bind } from './options.ts'
import { letHeapGrow } from './streaming-heap.ts'

export interface HubSettings {
  readonly bind: Bind
  /** An operator's token, valid as long as this process serves; kept nowhere. */
  readonly token?: string | undefined
  readonly storeUrl?: string | undefined
  readonly label?: string | undefined
  readonly allowHosts: readonly string[]
  /** Whoever comes over the network may only read. */
  readonly readOnly?: boolean
  /** With it the hub ends TLS itself. */
  readonly tls?: TlsFiles | 'own' | undefined
}

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface ServedHub extends AsyncDisposable {
  readonly record: HubRecord
}

/** Throws `hub.running`, `home.locked`, `hub.bind_failed` and what the store may. */
export async function serveHub(home: Home, settings: HubSettings, log: Logger): Promise<ServedHub> {
  const { bind, token, storeUrl, label = hostname(), allowHosts, readOnly = false, tls } = settings
  const running = await findHub(home)
  if (running) throw failure('hub.running', { url: running.urls[0] ?? running.socket, pid: running.pid })
  letHeapGrow()
  warnOfFewDescriptors(log)
  await using opened = new AsyncDisposableStack()
  const hub = opened.use(
    await openHub({
      home: home.dir,
      label,
      version: softwareVersion,
      log,
      copiesAtOnce: descriptorShares(descriptorLimit()).copies,
      ...(storeUrl !== undefined && { storeUrl }),
      token,
      ...(tls && { tls: tlsChoice(tls, settings) }),
    }),
  )
  const socket = socketPath(home.hubDir, 'hub.sock')
  const api = opened.use(
    await startApi({
      hub,
      bind,
      tls: hub.tls,
      socketPath: socket,
      allowHosts,
      readOnly,
      log,
    }),
  )
  hub.listening(api.urls)
  const record = await writeHubRecord(home, { urls: [...api.urls], pin: hub.tls?.pin ?? null, socket, version: softwareVersion })
  opened.defer(() => removeHubRecord(home))
  log.info({ urls: record.urls }, 'the hub is ready')
  const closing = opened.move()
  return { record, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() }
}

/** Its own certificate is for the names by which it may be asked. */
function tlsChoice(tls: TlsFiles | 'own', { bind, allowHosts }: HubSettings): TlsChoice {
  return tls === 'own' ? { names: [bind.host, ...allowHosts] } : tls
}
