// `muster node`: this machine as a host of the hub that is named, or of every hub that it has joined. Ends when told to, or when no
// hub is left that does not refuse it for good.

import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  type JoinedHub,
  linkTunnel,
  listJoinedHubs,
  parseEnrolmentToken,
  serveAttached,
  TrustConfig,
  type TunnelState,
} from '../../connectors/links.ts'
import { asMusterError, failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { openHost } from '../../host/host.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { closeWithin } from '../close-within.ts'
import { type Home, openHome } from '../home.ts'
import { fileAt } from '../host/connector-options.ts'
import { isOnScreen, openLog } from '../log.ts'
import { warnOfFewDescriptors } from '../low-descriptors.ts'
import type { Action, Outcome } from '../perform.ts'
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
  const { hub: hubUrl, nodeId, insecure } = options
  if (hubUrl === undefined) refuseWithoutHub(options)
  const trust = hubUrl === undefined ? undefined : trustOf(options, hubUrl, terminal.cwd)
  const token = hubUrl === undefined ? undefined : await tokenOf(terminal, options)
  // Before anything is opened here: a token that no hub printed changes nothing.
  if (token !== undefined) parseEnrolmentToken(token)
  const given = {
    ...(token !== undefined && { token }),
    ...(nodeId !== undefined && { nodeId }),
    ...(trust && { trust }),
  }
  const home = await openHome(terminal.env)
  const known = hubUrl === undefined ? await hubsOf(home) : []
  const allow = options.allow ?? allowedToAll(terminal, known)
  const hubs: ToHub[] = hubUrl === undefined ? known.map((hub) => ({ hubUrl: hub.hubUrl })) : [{ hubUrl, ...given }]
  return serveHubs(terminal, { home, allow, insecure, name: options.name }, async () => hubs)
}

/** What is said of one hub needs to know which. */
function refuseWithoutHub({ token, tokenStdin, nodeId, caFile, pin }: NodeOptions): void {
  const given = { '--token': token, '--token-stdin': tokenStdin, '--node-id': nodeId, '--ca-file': caFile, '--pin': pin }
  const [flag] = Object.entries(given).find(([, value]) => value !== undefined) ?? []
  if (flag !== undefined)
    throw wrong(`${flag} needs the hub's address beside it.`, `Give it: \`muster node --hub wss://HUB:7878 ${flag}\`.`)
}

/** Every hub that was joined here. Throws `cli.usage` where there is none. */
async function hubsOf(home: Home): Promise<JoinedHub[]> {
  const hubs = await listJoinedHubs(join(home.dir, 'node'))
  if (hubs.length > 0) return hubs
  throw wrong(
    "`muster node` needs the hub's address: this machine has joined none yet.",
    'Ask one to let it in: `muster node join HUB_URL`; or give its address and token: `muster node --hub wss://HUB:7878 --token-stdin`.',
  )
}

/** What each of them was allowed when it was joined. Of several, what all of them were: one policy counts for all. */
function allowedToAll(terminal: Terminal, hubs: readonly JoinedHub[]): string[] {
  const [first = [], ...others] = hubs.map(({ allow = [] }) => allow)
  const common = first.filter((one) => others.every((allow) => allow.includes(one)))
  if (hubs.some(({ allow = [] }) => allow.length > common.length))
    terminal.say(
      `Its hubs were allowed different things; all of them get what each was allowed (${common.join(', ') || 'nothing'}), unless --allow says otherwise.`,
    )
  return common
}

type ToHub = Pick<Parameters<typeof linkTunnel>[0], 'hubUrl' | 'token' | 'nodeId' | 'trust'>

interface Serving {
  readonly home: Home
  readonly allow: readonly string[]
  readonly insecure: true | undefined
  readonly name: string | undefined
}

/** This machine as a host, until it is told to end or no hub wants it any more. `find` is asked once the host is open. */
export async function serveHubs(
  terminal: Terminal,
  { home, allow, insecure, name = hostname() }: Serving,
  find: (leaving: AbortSignal) => Promise<readonly ToHub[]>,
): Promise<Outcome> {
  letHeapGrow()
  const onScreen = isOnScreen()
  const log = openLog(terminal.env, onScreen)
  warnOfFewDescriptors(log)
  const leaving = new AbortController()
  const stopping = stopRequested().then(() => leaving.abort())
  const host = await openHost({
    home: join(home.dir, 'host'),
    musterHome: home.dir,
    commands: join(home.dir, 'commands'),
    name,
    policy: nodePolicy(home.dir, { allow }),
    log,
  })
  try {
    // A hub that comes by ssh meets the same host.
    await using _attached = await serveAttached({ home: home.dir, host, version: softwareVersion, log })
    if (insecure) terminal.say('With --insecure, whoever is on the way to the hub can read and change what passes.')
    const hubs = await Promise.race([find(leaving.signal), stopping.then(() => [])])
    const linked = untilNoneIsLeft(terminal, hubs, (hub) =>
      linkTunnel({
        ...hub,
        home: home.dir,
        host,
        version: softwareVersion,
        // Each event once: in sentences for people, in lines for programs.
        log: onScreen ? log.child({}, { level: 'error' }) : log,
        signal: leaving.signal,
        ...(insecure && { insecure }),
        onState: (state) => {
          if (onScreen) terminal.say(sentenceOf(state, hub.hubUrl))
          if (state.online && allow.length === 0)
            terminal.say('Without --allow, the hub can look at this host and start nothing.')
        },
      }),
    )
    await Promise.race([linked, stopping, host.shutDown])
  } finally {
    leaving.abort()
    await closeWithin(host)
  }
  return { json: { stopped: true } }
}

/** One hub that refuses this machine for good takes nothing from the others. Rejects with what the last of them says. */
async function untilNoneIsLeft(terminal: Terminal, hubs: readonly ToHub[], link: (hub: ToHub) => Promise<void>): Promise<void> {
  let left = hubs.length
  await Promise.all(
    hubs.map(async (hub) => {
      try {
        await link(hub)
      } catch (error) {
        left--
        if (left === 0) throw error
        terminal.say(`${hub.hubUrl}: ${printable(asMusterError(error).message)}`)
      }
    }),
  )
}

function sentenceOf(state: TunnelState, hubUrl: string): string {
  return state.online
    ? `Joined ${hubUrl} as ${printable(state.name)} (${state.host}).`
    : `Not connected: ${printable(state.reason.message)} Dialling again.`
}

/** Undefined where nothing is said of it. */
export function trustOf(
  { caFile, pin }: Pick<NodeOptions, 'caFile' | 'pin'>,
  hubUrl: string,
  cwd: string,
): TrustConfig | undefined {
  if (caFile === undefined && pin === undefined) return undefined
  if (!hubUrl.startsWith('wss:'))
    throw wrong(
      `--ca-file and --pin go with wss://, not with ${hubUrl}.`,
      `Give \`${hubUrl.replace('ws:', 'wss:')}\` as its address.`,
    )
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
