// `muster node`: this machine as a host of a hub that it dials. Ends when told to, or when the hub refuses it for good.

import { hostname } from 'node:os'
import { join } from 'node:path'
import { linkTunnel, parseEnrolmentToken, serveAttached, TrustConfig, type TunnelState } from '../../connectors/links.ts'
import { failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { openHost } from '../../host/host.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { closeWithin } from '../close-within.ts'
import { openHome } from '../home.ts'
import { fileAt } from '../host/connector-options.ts'
import { isOnScreen, openLog } from '../log.ts'
import { warnOfFewDescriptors } from '../low-descriptors.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { readToken } from '../stdin-secret.ts'
import { stopRequested } from '../stop-signal.ts'
import { letHeapGrow } from '../streaming-heap.ts'
import type { Terminal } from '../terminal.ts'
import { nodePolicy } from './policy.ts'

interface NodeOptions {
  readonly hub?: string
  readonly tokenStdin?: true
  readonly token?: string
  readonly nodeId?: string
  readonly allow?: string[]
  readonly insecure?: true
  readonly caFile?: string
  readonly pin?: string
  readonly name?: string
}

export const serveNode: Action<NodeOptions, []> = async (terminal, options) => {
  const { hub: hubUrl, nodeId, allow = [], insecure, name = hostname() } = options
  if (hubUrl === undefined)
    throw wrong("`muster node` needs the hub's address.", 'Give it: `muster node --hub wss://HUB:7878 --token-stdin`.')
  const trust = trustOf(options, hubUrl, terminal.cwd)
  const token = await tokenOf(terminal, options)
  // Before anything is opened here: a token that no hub printed changes nothing.
  if (token !== undefined) parseEnrolmentToken(token)
  letHeapGrow()
  const home = await openHome(terminal.env)
  const onScreen = isOnScreen()
  const log = openLog(terminal.env, onScreen)
  warnOfFewDescriptors(log)
  const leaving = new AbortController()
  const stopping = stopRequested().then(() => leaving.abort())
  const host = await openHost({ home: join(home.dir, 'host'), name, policy: nodePolicy(home.dir, { allow }), log })
  try {
    // A hub that comes by ssh meets the same host.
    await using _attached = await serveAttached({ home: home.dir, host, version: softwareVersion, log })
    if (insecure) terminal.say('With --insecure, whoever is on the way to the hub can read and change what passes.')
    const linked = linkTunnel({
      hubUrl,
      home: home.dir,
      host,
      version: softwareVersion,
      // Each event once: in sentences for people, in lines for programs.
      log: onScreen ? log.child({}, { level: 'error' }) : log,
      signal: leaving.signal,
      ...(token !== undefined && { token }),
      ...(nodeId !== undefined && { nodeId }),
      ...(insecure && { insecure }),
      ...(trust && { trust }),
      onState: (state) => {
        if (onScreen) terminal.say(sentenceOf(state, hubUrl))
        if (state.online && allow.length === 0) terminal.say('Without --allow, the hub can look at this host and start nothing.')
      },
    })
    await Promise.race([linked, stopping, host.shutDown])
  } finally {
    leaving.abort()
    await closeWithin(host)
  }
  return { json: { stopped: true } }
}

function sentenceOf(state: TunnelState, hubUrl: string): string {
  return state.online
    ? `Joined ${hubUrl} as ${printable(state.name)} (${state.host}).`
    : `Not connected: ${printable(state.reason.message)} Dialling again.`
}

/** Undefined where nothing is said of it. */
function trustOf({ caFile, pin }: NodeOptions, hubUrl: string, cwd: string): TrustConfig | undefined {
  if (caFile === undefined && pin === undefined) return undefined
  if (!hubUrl.startsWith('wss:'))
    throw wrong(`--ca-file and --pin go with wss://, not with ${hubUrl}.`, `Give \`--hub ${hubUrl.replace('ws:', 'wss:')}\`.`)
  const parsed = TrustConfig.safeParse({
    ...(caFile !== undefined && { caFile: fileAt(caFile, cwd) }),
    ...(pin !== undefined && { pin }),
  })
  if (parsed.success) return parsed.data
  throw wrong(
    `Whom to trust is not valid: ${parsed.error.issues.map(describeIssue).join('; ')}.`,
    'docs/connectors/http.md shows how to read a pin from a certificate.',
  )
}

async function tokenOf(terminal: Terminal, { token, tokenStdin }: NodeOptions): Promise<string | undefined> {
  if (token !== undefined && tokenStdin)
    throw wrong('The token is given twice, by --token and by --token-stdin.', 'Use --token-stdin alone.')
  if (tokenStdin) return await readToken(terminal)
  if (token !== undefined) terminal.say('--token can be seen in the list of processes; --token-stdin cannot.')
  return token ?? (terminal.env.MUSTER_TOKEN || undefined)
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem, hint })
}
