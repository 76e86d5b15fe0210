// The options of `hub serve` and `hub start` as settings.

import { resolve } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { isLoopback } from '../../wire/loopback.ts'
import { type Bind, defaultBind, showBind } from '../options.ts'
import type { HubSettings } from '../serve-hub.ts'
import { readToken } from '../stdin-secret.ts'
import type { Terminal } from '../terminal.ts'

export interface ServeOptions {
  readonly bind?: Bind
  readonly tokenStdin?: true
  readonly store?: string
  readonly label?: string
  readonly allowHost?: string[]
  readonly readOnly?: true
  readonly tls?: true
  readonly tlsCert?: string
  readonly tlsKey?: string
}

const shortToken = 20

export async function readSettings(terminal: Terminal, options: ServeOptions): Promise<HubSettings> {
  const { bind = defaultBind } = options
  const token = options.tokenStdin ? await readToken(terminal) : undefined
  refuseOpenBind(bind, token)
  if (token !== undefined && token.length < shortToken)
    terminal.say(`This token has ${token.length} characters; a guessable one opens the hub.`)
  return {
    bind,
    token,
    storeUrl: options.store ?? (terminal.env.MUSTER_STORE || undefined),
    label: options.label ?? (terminal.env.MUSTER_HUB_LABEL || undefined),
    allowHosts: options.allowHost ?? [],
    readOnly: options.readOnly ?? false,
    tls: tlsOf(options, terminal.cwd),
  }
}

function tlsOf({ tls, tlsCert, tlsKey }: ServeOptions, cwd: string): HubSettings['tls'] {
  if (tlsCert === undefined && tlsKey === undefined) return tls && 'own'
  if (tlsCert === undefined || tlsKey === undefined || tls) {
    throw failure('cli.usage', {
      problem: tls ? "A certificate is either from files or the hub's own." : '--tls-cert and --tls-key go together.',
      hint: 'Give `--tls` alone, or `--tls-cert FILE --tls-key FILE`.',
    })
  }
  return { certFile: resolve(cwd, tlsCert), keyFile: resolve(cwd, tlsKey) }
}

/** Throws `hub.bind_needs_token` for an address that other machines can reach, where nobody could be told apart. */
export function refuseOpenBind(bind: Bind, token?: string): void {
  if (token === undefined && !isLoopback(bind.host)) throw failure('hub.bind_needs_token', { address: showBind(bind) })
}
