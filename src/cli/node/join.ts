// `muster node join`: asks a hub to let this machine in, shows the code that is to be typed there, and then is its node.

import { hostname } from 'node:os'
import { type JoinedHub, pairTunnel } from '../../connectors/links.ts'
import { failure } from '../../contract/errors.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { hostName } from '../arguments.ts'
import { openHome } from '../home.ts'
import { tunnelUrl } from '../options.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { stopRequested } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { serveHubs, trustOf } from './serve.ts'

interface JoinOptions {
  readonly name?: string
  readonly allow?: string[]
  readonly insecure?: true
  readonly once?: true
  readonly caFile?: string
  readonly pin?: string
}

export const join: Action<JoinOptions, [string]> = async (terminal, options, url) => {
  const hubUrl = hubAddress(url)
  const trust = trustOf(options, hubUrl, terminal.cwd)
  const name = hostName(options.name ?? hostname())
  const asks = [...new Set(options.allow)]
  const { insecure, once } = options
  const home = await openHome(terminal.env)
  const pair = async (signal: AbortSignal) => {
    const joined = await pairTunnel({
      hubUrl,
      trust,
      home: home.dir,
      name,
      asks,
      version: softwareVersion,
      signal,
      ...(insecure && { insecure }),
      onCode: (shown) => sayCode(terminal, hubUrl, shown),
      onBroken: (reason) => terminal.say(`${printable(reason.message)} Asking anew; there will be another code.`),
    })
    sayJoined(terminal, joined, asks)
    return joined
  }
  if (!once) {
    const serving = { home, allow: asks, insecure, name: options.name }
    return serveHubs(terminal, serving, async (signal) => [{ hubUrl: (await pair(signal)).hub.hubUrl }])
  }
  const leaving = new AbortController()
  void stopRequested().then(() => leaving.abort())
  const { hub, trust: approved } = await pair(leaving.signal)
  const json = { host: hub.host, name: hub.name, hub: { url: hub.hubUrl, key: hub.hubKey }, asked: asks, approved }
  return { json, text: `joined: ${printable(hub.name)} (${hub.host})` }
}

function sayCode(terminal: Terminal, hubUrl: string, { code, expiresInMs }: { code: string; expiresInMs: number }): void {
  terminal.say(`This machine asks ${hubUrl} to be let in. Its code is`)
  terminal.say(`\n    ${code.slice(0, 3)} ${code.slice(3)}\n`)
  terminal.say(`Type it at the hub within ${Math.round(expiresInMs / 60_000)} min: muster pairing approve ${code}`)
}

function sayJoined(terminal: Terminal, { hub, trust }: { hub: JoinedHub; trust: string[] }, asks: readonly string[]): void {
  terminal.say(`Approved: this machine is ${printable(hub.name)} (${hub.host}) at ${hub.hubUrl}.`)
  if (asks.some((one) => !trust.includes(one)))
    terminal.say(
      `Not all that it asks for was approved: the hub may do here ${printable(trust.join(', ')) || 'nothing, beyond looking'}.`,
    )
}

function hubAddress(url: string): string {
  try {
    return tunnelUrl(url)
  } catch {
    throw failure('cli.usage', {
      problem: `"${printable(url)}" is not a hub's address.`,
      hint: 'Give it as wss://HUB:7878; `muster hub status` on the hub shows it.',
    })
  }
}
