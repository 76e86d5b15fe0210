// Options that take a value, and what they accept. No option has a hidden default here: implementations name theirs,
// and an option that makes sense once is refused when it comes twice.

import { Option } from 'commander'
import { isCommandPattern } from '../contract/command-name.ts'
import { parseDuration } from './duration.ts'
import { wrongValue } from './usage.ts'

/** An option that may come once. `parse` throws `wrongValue`. */
export function single<T>(flags: string, description: string, parse: (value: string) => T): Option {
  return new Option(flags, description).argParser((value, previous: T | undefined) => {
    if (previous !== undefined) throw wrongValue('It is given twice')
    return parse(value)
  })
}

/** An option that may come again and again; its value is the list. */
export function repeated<T>(flags: string, description: string, parse: (value: string) => T): Option {
  return new Option(flags, description).argParser((value, previous: T[] | undefined) => [...(previous ?? []), parse(value)])
}

export function nonEmpty(value: string): string {
  if (value === '') throw wrongValue('It is empty')
  return value
}

/** What begins with a dash is rather the next option, after a forgotten name. */
export function fileName(value: string): string {
  if (/^(-|$)/.test(value)) throw wrongValue('It is the name of a file (./NAME where that begins with a dash)')
  return value
}

export function oneOf(...allowed: readonly string[]): (value: string) => string {
  return (value) => {
    if (!allowed.includes(value)) throw wrongValue(`It is one of ${allowed.join(', ')}`)
    return value
  }
}

/** A command, or several that begin alike. */
export function commandPattern(value: string): string {
  if (value === 'all') throw wrongValue("Everything is written '*'")
  if (!isCommandPattern(value)) throw wrongValue('It is a command such as runs or file.read, or file.*, or *')
  return value
}

export function integer(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^\d{1,15}$/.test(value) || number < least || number > most)
      throw wrongValue(`It is a whole number from ${least} to ${most}`)
    return number
  }
}

const dayMs = 24 * 3600 * 1000

/** Milliseconds. */
export const duration = durationUpTo(30 * dayMs)

export function durationUpTo(mostMs: number): (value: string) => number {
  return (value) => {
    const ms = parseDuration(value)
    if (ms === undefined || ms > mostMs)
      throw wrongValue(`It is a duration such as 90s, 10m or 1h30m, ${Math.floor(mostMs / dayMs)} days at most`)
    return ms
  }
}

/** `k=v` as a pair; the value may be empty and may hold `=`. */
export function pair(value: string): [string, string] {
  const at = value.indexOf('=')
  if (at < 1) throw wrongValue('It is written NAME=VALUE')
  return [value.slice(0, at), value.slice(at + 1)]
}

/** `NAME=VALUE`, or `NAME` alone, which stands for the caller's own variable. */
export function variable(value: string): [string, string | undefined] {
  const [name, given] = value.includes('=') ? pair(value) : [value, undefined]
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw wrongValue("It is not a variable's name")
  return [name, given]
}

export interface Bind {
  readonly host: string
  readonly port: number
}

export const defaultBind: Bind = { host: '127.0.0.1', port: 7878 }

/** `127.0.0.1:7878`, `[::1]:0`, `localhost:7878`. */
export function bind(value: string): Bind {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(value)
  const port = Number(match?.[3])
  if (!match || port > 65_535) throw wrongValue('It is written ADDRESS:PORT, such as 127.0.0.1:7878')
  return { host: (match[1] ?? match[2]) as string, port }
}

export function showBind({ host, port }: Bind): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function databaseUrl(value: string): string {
  if (!/^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? ''))
    throw wrongValue('It is a database such as postgres://USER@HOST/NAME')
  return value
}

/** ws:// and wss:// stay; http:// and https:// mean the same place. */
export function tunnelUrl(value: string): string {
  const url = URL.parse(value)
  const scheme = { 'ws:': 'ws:', 'http:': 'ws:', 'wss:': 'wss:', 'https:': 'wss:' }[url?.protocol ?? '']
  if (!url || !scheme || url.username || url.search || url.hash || url.pathname !== '/') {
    throw wrongValue("It is a hub's address such as wss://hub.example:7878")
  }
  return `${scheme}//${url.host}`
}
