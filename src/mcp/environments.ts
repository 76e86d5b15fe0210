// Hosts as environments: a line each, with the commands that they share named once. Made from what the hub tells, and nothing else, so that
// a page can be made anywhere and at any size.

import type { CommandEntry } from '../contract/command.ts'
import type { HostRow } from '../contract/host.ts'
import type { Offered } from './catalogs.ts'
import { costOf } from './cost.ts'
import { signatureOf } from './signature.ts'
import { ago, oneLine, wholeUntil } from './words.ts'

export interface Environment extends Offered {
  readonly host: HostRow
}

export interface Page {
  readonly text: string
  readonly shown: number
  /** The id of the last environment on it, where there are more. */
  readonly next: string | null
}

const longestReason = 120
const longestDescription = 160

/** As many environments as fit, from the first on: with the parameters of their commands where all fit so, else with their names alone. */
export function environmentsPage(all: readonly Environment[], most: number, nowMs: number): Page {
  const withParams = pageOf(all, most, nowMs, described)
  return withParams.next === null ? withParams : pageOf(all, most, nowMs, ({ name, ...entry }) => `${name}${asks(entry)}`)
}

/** One environment with each of its commands on a line, or only their names where that is too much. */
export function environmentText({ host, commands, problem }: Environment, most: number, nowMs: number): string {
  const head = `${environmentLine(host, nowMs)}, id ${host.id}, by ${host.connector}`
  if (commands === null)
    return `${head}\n${problem === null ? 'its commands are not known now' : `its commands are not known: ${problem}`}`
  const lines = commands.map((entry) => `${described(entry)}: ${oneLine(entry.description, longestDescription)}`)
  const text = `${head}\n${lines.join('\n') || 'exposes no commands'}`
  if (costOf(text) <= most) return text
  return cut(`${head}\n${commands.map(described).join(' ')}`, most)
}

/** Commands of one name, with the hosts that have them just so. */
export interface CommandOnHosts {
  readonly entry: CommandEntry
  readonly hosts: readonly string[]
}

export function commandsOnHosts(all: readonly Environment[], isMeant: (entry: CommandEntry) => boolean): CommandOnHosts[] {
  const found = all.flatMap(({ host, commands }) => (commands ?? []).filter(isMeant).map((entry) => ({ entry, host: host.name })))
  return [...Map.groupBy(found, ({ entry }) => JSON.stringify(entry)).values()]
    .flatMap((same) => (same[0] ? [{ entry: same[0].entry, hosts: same.map(({ host }) => host) }] : []))
    .sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1))
}

const mostHostsNamed = 20

/** With their JSON Schemas as far as those fit; the first always with that of its parameters. */
export function commandsText(found: readonly CommandOnHosts[], most: number): string {
  const parts: string[] = []
  let left = most
  for (const [index, { entry, hosts }] of found.entries()) {
    const named = hosts.slice(0, mostHostsNamed).join(', ')
    const where = hosts.length > mostHostsNamed ? `${named} and ${hosts.length - mostHostsNamed} more` : named
    const head = `${described(entry)} on ${where}: ${oneLine(entry.description, 4 * longestDescription)}`
    const params = `${head}\n  params ${cut(JSON.stringify(entry.params), most - costOf(head), 'more than a page')}`
    const whole = `${params}\n  result ${JSON.stringify(entry.result)}`
    const text = costOf(whole) <= left ? whole : index === 0 || costOf(params) <= left ? params : head
    if (costOf(text) > left && index > 0) {
      parts.push(`${found.length - index} more commands match: name one in full.`)
      break
    }
    left -= costOf(text)
    parts.push(text)
  }
  return parts.join('\n')
}

function pageOf(all: readonly Environment[], most: number, nowMs: number, word: (entry: CommandEntry) => string): Page {
  const shared = sharedWords(all, word)
  const catalogs = new Map<string, string>()
  const lines: string[] = []
  let cost = 0
  if (shared.length > 0) {
    const words = fitting(shared, most)
    catalogs.set(words, lettered(0))
    cost += costOf(words) + letterCost
  }
  for (const { host, commands } of all) {
    const words = commands === null ? undefined : wordsBeside(shared, commands.map(word), most)
    const known = words === undefined ? '-' : words === '' ? 'none' : catalogs.get(words)
    const letter = known ?? lettered(catalogs.size)
    const line = `${environmentLine(host, nowMs)} | ${letter}`
    const added = costOf(line) + (known === undefined ? costOf(words ?? '') + letterCost : 0) + 1
    if (cost + added > most && lines.length > 0) break
    if (known === undefined && words !== undefined) catalogs.set(words, letter)
    lines.push(line)
    cost += added
  }
  const last = all[lines.length - 1]
  const text = [
    ...lines,
    ...(catalogs.size > 0 ? ['commands:'] : []),
    ...[...catalogs].map(([words, letter]) => `${letter}: ${words}`),
  ].join('\n')
  return { text, shown: lines.length, next: lines.length < all.length && last ? last.host.id : null }
}

/** A letter, what stands around it, and the end of the line. */
const letterCost = 5

/** The commands that at least half of those have whose commands are known: named once, as A. */
function sharedWords(all: readonly Environment[], word: (entry: CommandEntry) => string): string[] {
  const known = all.flatMap(({ commands }) => (commands === null ? [] : [commands.map(word)]))
  if (known.length < 2) return []
  const counts = new Map<string, number>()
  for (const words of known) for (const one of words) counts.set(one, (counts.get(one) ?? 0) + 1)
  return [...counts].filter(([, count]) => 2 * count >= known.length).map(([one]) => one)
}

/** All of one's commands: as those that are shared, with its own and without others, where that says it shorter. */
function wordsBeside(shared: readonly string[], words: readonly string[], most: number): string {
  const has = new Set(words)
  const isShared = new Set(shared)
  const missing = shared.filter((one) => !has.has(one)).map((one) => `-${one.replace(/\(.*/s, '')}`)
  if (shared.length === 0 || 2 * missing.length > shared.length) return fitting(words, most)
  const own = words.filter((one) => !isShared.has(one)).map((one) => `+${one}`)
  return own.length + missing.length === 0 ? fitting(shared, most) : fitting([lettered(0), ...own, ...missing], most)
}

/** One host's commands leave room for others. */
const mostOfAPage = 0.6

function fitting(words: readonly string[], most: number): string {
  let left = most * mostOfAPage
  const shown = words.filter((word) => {
    left -= costOf(word) + 1
    return left > 0
  })
  const more = words.length - shown.length
  return more === 0 ? words.join(' ') : `${shown.join(' ')} and ${more} more: name the node or a command`
}

/** `box online linux/x64 8 cores gpu=true`, or since when and why it is not. */
function environmentLine({ name, status, since, reason, info, labels }: HostRow, nowMs: number): string {
  const machine = info
    ? `${oneLine(info.platform, 20)}/${oneLine(info.arch, 20)}${info.cores === null ? '' : ` ${info.cores} cores`}`
    : ''
  const busy = info?.activeRuns ? `${info.activeRuns} runs` : ''
  const marks = Object.entries(labels).map(([label, value]) => `${label}=${oneLine(value, 60)}`)
  const away = since === null ? '' : ` for ${ago(nowMs - Date.parse(since))}`
  const how =
    status === 'online'
      ? 'online'
      : status === 'offline'
        ? `offline${away}${reason ? ` (${oneLine(reason, longestReason)})` : ''}`
        : 'never seen'
  return [name, how, machine, busy, ...marks].filter((part) => part !== '').join(' ')
}

function described({ name, params, ...entry }: CommandEntry): string {
  return `${name}${asks(entry)}(${signatureOf(params)})`
}

/** A person is asked before it runs: each time, or depending on the parameters. */
function asks({ sensitive, exposure }: Pick<CommandEntry, 'sensitive' | 'exposure'>): string {
  return sensitive || exposure === 'ask' ? '!' : ''
}

/** A, B, … Z, AA, AB … */
function lettered(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26))
  return index < 26 ? letter : `${lettered(Math.floor(index / 26) - 1)}${letter}`
}

function cut(text: string, most: number, how = 'name a command'): string {
  return costOf(text) <= most ? text : `${text.slice(0, wholeUntil(text, Math.max(0, Math.floor(most / 3))))} … (cut: ${how})`
}
