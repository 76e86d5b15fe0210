// `muster host commands`: what a host's catalog offers, or one command of it with its schemas.

import { type CommandEntry, listCommands } from '../../contract/command.ts'
import { failure } from '../../contract/errors.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable, printableJson } from '../printable.ts'
import { type Column, showFields, showTable } from '../table.ts'

export const showCommands: Action<unknown, [string, string?]> = async (terminal, _options, host, name) => {
  const ref = hostRef(host)
  using client = connect(terminal)
  const found = await client.host(ref).call(listCommands, {})
  if (name !== undefined) {
    const entry = found.commands.find((one) => one.name === name)
    if (!entry) throw failure('command.unknown', { host: ref, command: name })
    return { json: entry, text: describe(entry) }
  }
  for (const { file, problem } of found.corrupt)
    terminal.say(`The declared command ${printable(file)} cannot be used: ${printable(problem)}.`)
  if (found.commands.length === 0)
    terminal.say(`${ref} exposes no command to this hub; on that machine: \`muster node expose COMMAND\`.`)
  return { json: found, text: found.commands.length === 0 ? '' : showTable(columns, found.commands, terminal) }
}

const columns: readonly Column<CommandEntry>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'EXPOSED', cell: ({ exposure }) => (exposure === null ? 'it depends' : exposure === 'ask' ? 'asks a person' : 'yes') },
  { title: 'FROM', cell: ({ source }) => source },
  { title: 'DESCRIPTION', cell: ({ description }) => description },
]

function describe(entry: CommandEntry): string {
  const { params, result, ...fields } = entry
  const head = showFields({
    name: fields.name,
    description: fields.description,
    exposed: columns[1]?.cell(entry),
    sensitive: fields.sensitive ? 'yes' : 'no',
    from: fields.source,
  })
  const schema = (title: string, value: unknown) => `${title}:\n${printableJson(value, 2)}`
  return [head, schema('params', params), schema('result', result)].join('\n')
}
