// `environments_list`: the fleet as text, as much of it as a model reads at once, narrowed by words, host or command; or what changed.

import { failure } from '../contract/errors.ts'
import { type HostRow, listHosts } from '../contract/host.ts'
import { type ToolAnswer, type ToolCall, text } from './answer.ts'
import type { Catalogs } from './catalogs.ts'
import { pageCost } from './cost.ts'
import type { EnvironmentsListInput } from './definitions.ts'
import { commandsOnHosts, commandsText, type Environment, environmentsPage, environmentText } from './environments.ts'
import type { ToolFleet } from './fleet.ts'
import { newestPosition, newsAfter, waitingText } from './news.ts'
import { plural } from './words.ts'

export interface Listing {
  readonly fleet: ToolFleet
  readonly owner: string
  readonly catalogs: Catalogs
}

/** Of so many hosts the catalogs are read for one answer. */
const mostAsked = 1_000

export async function environmentsListed(of: Listing, input: EnvironmentsListInput, { signal }: ToolCall): Promise<ToolAnswer> {
  const { fleet } = of
  const nowMs = Date.now()
  if (input.since !== undefined) {
    const since = Math.min(Math.trunc(input.since), Number.MAX_SAFE_INTEGER)
    const { text: news, position } = await newsAfter(fleet, since, signal)
    return text(news, await waitingText(fleet, nowMs, signal), sinceLine(position))
  }
  // Before the hosts: what happens meanwhile is told again rather than not at all.
  const position = await newestPosition(fleet, signal)
  const listed = await listingText(of, input, pageCost, nowMs, signal)
  return text(listed, await waitingText(fleet, nowMs, signal), sinceLine(position))
}

function sinceLine(position: number): string {
  return `To hear what changes: {"since": ${position}}`
}

/** What the filters ask for, within a cost. Throws `host.unknown`, `input.invalid`. */
export async function listingText(
  { fleet, owner, catalogs }: Listing,
  { query, node_id: node, command, cursor }: Pick<EnvironmentsListInput, 'query' | 'node_id' | 'command' | 'cursor'>,
  most: number,
  nowMs: number,
  signal: AbortSignal,
): Promise<string> {
  const { hosts } = await fleet.hub.call(listHosts, {}, { signal })
  const named = node === undefined ? hosts : [hostNamed(hosts, node)]
  const asked = named.slice(0, mostAsked)
  const offered = await catalogs.read(fleet, owner, asked)
  const environments = named.map((host) => ({ host, ...(offered.get(host.id) ?? { commands: null, problem: null }) }))
  const words = (query ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  const matching = environments.filter((environment) => words.every((word) => matches(environment, word)))
  if (command !== undefined) return commandText(matching, command, most)
  const [only] = matching
  if (only && matching.length === 1 && cursor === undefined) return environmentText(only, most, nowMs)
  return pageText(matching, cursor, most, nowMs)
}

function pageText(matching: readonly Environment[], cursor: string | undefined, most: number, nowMs: number): string {
  const from = cursor === undefined ? 0 : matching.findIndex(({ host }) => host.id === cursor) + 1
  if (cursor !== undefined && from === 0)
    throw failure('input.invalid', { what: 'cursor', problem: 'the host that it stands for is gone; begin without it' })
  const { text: page, shown, next } = environmentsPage(matching.slice(from), most, nowMs)
  const online = matching.filter(({ host }) => host.status === 'online').length
  const part = shown === matching.length ? '' : `; these are ${from + 1} to ${from + shown}`
  const more = next === null ? '' : `On: environments_list {"cursor": ${JSON.stringify(next)}}, or narrow it by query.`
  return [`${plural(matching.length, 'environment')}, ${online} online${part}.`, page, more].filter(Boolean).join('\n')
}

/** The commands of exactly that name, or else those with it in their names. */
function commandText(environments: readonly Environment[], command: string, most: number): string {
  const exact = commandsOnHosts(environments, ({ name }) => name === command)
  const found = exact.length > 0 ? exact : commandsOnHosts(environments, ({ name }) => name.includes(command))
  return found.length > 0 ? commandsText(found, most) : `No environment that answers now has a command ${command}.`
}

function hostNamed(hosts: readonly HostRow[], ref: string): HostRow {
  const key = ref.toLowerCase()
  const host = hosts.find(({ id }) => id === ref) ?? hosts.find(({ name }) => name.toLowerCase() === key)
  if (!host) throw failure('host.unknown', { host: ref })
  return host
}

function matches({ host, commands }: Environment, word: string): boolean {
  const { name, id, label, status, labels, info } = host
  const marks = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  const texts = [name, id, label, status, info?.platform ?? '', info?.arch ?? '', ...marks]
  const offered = (commands ?? []).flatMap(({ name: command, description }) => [command, description])
  return [...texts, ...offered].some((one) => one.toLowerCase().includes(word))
}
