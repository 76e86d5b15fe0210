// The flags of all connectors as options of `host add`, and what was given of them as the `[connector]` part of a record.
// It knows no connector by name: src/connectors/flags.ts is the list.

import { isAbsolute, resolve } from 'node:path'
import { Option } from 'commander'
import { type ConnectorFlag, type ConnectorFlags, connectorFlags } from '../../connectors/flags.ts'
import { failure } from '../../contract/errors.ts'
import { fileName, integer, nonEmpty, single } from '../options.ts'

/** Values by commander's name for the option. */
export type Given = Readonly<Record<string, unknown>>

export interface Chosen {
  readonly takesToken: boolean
  /** The flag that chose it, for sentences. */
  readonly way: string
  /** What is to be said of flags that were given. */
  readonly warnings: readonly string[]
  readonly connector: { readonly kind: string } & Readonly<Record<string, unknown>>
  /** The flag that gives a field of it. */
  readonly flagOf: (field: string) => string | undefined
  /** The files that it names. */
  readonly files: readonly string[]
}

export function connectorOptions(): Option[] {
  const flags = connectorFlags.flatMap(({ way, others }) => [way, ...others])
  return [...new Map(flags.map((flag) => [flag.flags, flag])).values()].map(optionOf)
}

/** Throws `cli.usage` unless exactly one way is given, with flags of its own only. `cwd`: where relative files are. */
export function chooseConnector(given: Given, cwd: string): Chosen {
  const chosen = connectorFlags.filter(({ way }) => givenFor(way, given) !== undefined)
  const [one, second] = chosen
  if (!one) throw wrong('`muster host add` needs one way to reach the host.', waysHint())
  if (second) throw wrong(`A host is reached one way: ${longName(one.way)} or ${longName(second.way)}.`, waysHint())
  const foreign = connectorFlags
    .flatMap((flags) => flags.others.map((flag) => ({ flag, flags })))
    .find(({ flag, flags }) => flags !== one && givenFor(flag, given) !== undefined && !hasFlag(one, flag))
  if (foreign) {
    const { flag, flags } = foreign
    throw wrong(
      `${longName(flag)} goes with ${longName(flags.way)}, not with ${longName(one.way)}.`,
      '`muster host add --help` shows which go together.',
    )
  }
  const own = [one.way, ...one.others]
  const fields = own.flatMap((flag) => {
    const value = givenFor(flag, given)
    return value === undefined ? [] : [[flag.field, flag.value === 'file' ? fileAt(String(value), cwd) : value]]
  })
  return {
    takesToken: one.takesToken,
    way: longName(one.way),
    warnings: own.flatMap((flag) => (flag.warning !== undefined && givenFor(flag, given) !== undefined ? [flag.warning] : [])),
    connector: { kind: one.kind, ...Object.fromEntries(fields) },
    flagOf: (field) => own.filter((flag) => flag.field === field).map(longName)[0],
    files: own.flatMap((flag) =>
      fields.flatMap(([field, value]) => (flag.value === 'file' && field === flag.field ? [String(value)] : [])),
    ),
  }
}

export function optionOf(flag: ConnectorFlag): Option {
  if (!takesValue(flag)) return new Option(flag.flags, flag.description)
  if (flag.value === 'count') return single(flag.flags, flag.description, (text) => Number(integer(0, 999_999_999)(text)))
  return single(flag.flags, flag.description, flag.value === 'file' ? fileName : nonEmpty)
}

function takesValue({ flags }: ConnectorFlag): boolean {
  return flags.includes('<')
}

function givenFor(flag: ConnectorFlag, given: Given): unknown {
  return given[new Option(flag.flags).attributeName()]
}

function longName({ flags }: ConnectorFlag): string {
  return flags.split(' ')[0] ?? flags
}

/** Two connectors may know the same flag. */
function hasFlag({ others }: ConnectorFlags, flag: ConnectorFlag): boolean {
  return others.some(({ flags }) => flags === flag.flags)
}

/** `~/` is left to whoever opens it: for `host add` the hub's own account. */
export function fileAt(file: string, cwd: string): string {
  return isAbsolute(file) || file.startsWith('~/') ? file : resolve(cwd, file)
}

function waysHint(): string {
  const ways = connectorFlags.map(({ way }) => `\`${way.flags}\``).join(', ')
  return `Give one of ${ways}; a host that dials in is made by \`muster node enroll NAME\`.`
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem, hint })
}
