// `muster host label`: sets labels (`zone=eu`), takes them away (`zone-`), or shows them.

import { failure } from '../../contract/errors.ts'
import { type HostRow, labelHost as labelHostOperation, showHost } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import { pair } from '../options.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { labelsOf } from './labels.ts'

export const labelHost: Action<unknown, [string, string[]]> = async (terminal, _options, host, changes) => {
  const input = { host: hostRef(host), ...parseChanges(changes) }
  using client = connect(terminal)
  const row =
    changes.length === 0
      ? await client.hub.call(showHost, { host: input.host })
      : await client.hub.call(labelHostOperation, input)
  return { json: row, text: labelLines(row) }
}

function parseChanges(changes: readonly string[]): { set: Record<string, string>; unset: string[] } {
  const unset = changes.filter(takesAway).map((change) => change.slice(0, -1))
  const set = labelsOf(changes.filter((change) => !takesAway(change)).map(parsePair), 'host label')
  const both = unset.find((name) => name in set)
  if (both !== undefined) throw wrong(`The label ${printable(both)} is set and taken away at once.`)
  return { set, unset }
}

function takesAway(change: string): boolean {
  return change.length > 1 && change.endsWith('-') && !change.includes('=')
}

function parsePair(change: string): [string, string] {
  if (change.indexOf('=') < 1) throw wrong(`"${printable(change)}" is no change of a label.`)
  return pair(change)
}

function labelLines({ labels }: HostRow): string {
  return Object.entries(labels)
    .map(([name, value]) => printable(`${name}=${value}`))
    .join('\n')
}

function wrong(problem: string) {
  return failure('cli.usage', { problem, hint: 'Write NAME=VALUE to set a label, NAME- to take it away.' })
}
