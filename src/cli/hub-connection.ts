// Which hub a command speaks to: the one that MUSTER_HUB names, with MUSTER_TOKEN, or the one of this home, by its socket.

import { existsSync } from 'node:fs'
import { failure, type MusterError } from '../contract/errors.ts'
import { connectHub, type HubClient } from '../sdk/client.ts'
import { socketPath } from '../wire/channels/socket-path.ts'
import { pinShape } from '../wire/key-pin.ts'
import { isLoopback } from '../wire/loopback.ts'
import { homeAt } from './home.ts'
import { isToken } from './stdin-secret.ts'
import type { Terminal } from './terminal.ts'

/** Throws `hub.not_running`, `link.insecure`, or `cli.usage` for an address or a token that is none. */
export function connect({ env }: Pick<Terminal, 'env'>): HubClient & Disposable {
  const url = env.MUSTER_HUB
  if (url) {
    const token = env.MUSTER_TOKEN
    if (token && !isToken(token)) throw unusableToken()
    const trust = trustOf(env)
    return closing(connectHub({ url: hubAddress(url, env), ...(token && { token }), trust: () => trust }))
  }
  const socket = socketPath(homeAt(env).hubDir, 'hub.sock')
  // Told apart from a hub that does not answer: nobody has even tried to start one here.
  if (!existsSync(socket)) throw failure('hub.not_running', { where: socket })
  return closing(connectHub({ socketPath: socket }))
}

function closing(client: HubClient): HubClient & Disposable {
  return { ...client, [Symbol.dispose]: client.close }
}

/** Without a pin whom the system trusts. */
function trustOf({ MUSTER_HUB_PIN: pin }: NodeJS.ProcessEnv) {
  if (!pin) return {}
  if (pinShape.test(pin)) return { pin }
  throw failure('cli.usage', {
    problem: 'MUSTER_HUB_PIN is no pin: it must be sha256// and 44 characters of Base64.',
    hint: "Set it to what `muster hub status` shows as pin on the hub's machine.",
  })
}

function unusableToken(): MusterError {
  return failure('cli.usage', {
    problem: 'MUSTER_TOKEN is no token: it must be one line without spaces.',
    hint: 'Set it to what `muster token create` printed.',
  })
}

/** An address may have a path, where the hub is behind a proxy. */
function hubAddress(text: string, env: NodeJS.ProcessEnv): string {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw failure('cli.usage', {
      problem: 'MUSTER_HUB is not the address of a hub.',
      hint: 'Set it to something like https://hub.example:7878; a token goes into MUSTER_TOKEN.',
    })
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && env.MUSTER_INSECURE !== '1')
    throw failure('link.insecure', { url: url.origin })
  return url.href
}
