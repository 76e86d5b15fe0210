// `muster invoke`: a command of a host's catalog, its result on standard output.

import { failure } from '../../contract/errors.ts'
import { LabelTest } from '../../contract/label-test.ts'
import { CommandName } from '../../contract/names.ts'
import { check, hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { invokeOnMany } from './many-hosts.ts'
import { invokeOnOne } from './one-host.ts'
import { readParams } from './params.ts'
import type { Invocation, InvokeOptions } from './request.ts'

export const invoke: Action<InvokeOptions, [string[]]> = async (terminal, options, words) => {
  const { hosts, command, given } = read(words, options)
  const invocation: Invocation = {
    command,
    params: await readParams(terminal, given, options.paramsStdin === true),
    ...(options.key !== undefined && { key: options.key }),
    ...(options.session !== undefined && { session: options.session }),
    ...(options.reason !== undefined && { reason: options.reason }),
  }
  using client = connect(terminal)
  const { label: labels = [], timeout } = options
  const [host] = hosts
  if (labels.length === 0 && hosts.length === 1 && host !== undefined)
    return await invokeOnOne({ terminal, client, timeoutMs: timeout }, host, invocation)
  return await invokeOnMany({ terminal, client, timeoutMs: timeout }, { hosts, labels: labels.map(labelTest) }, invocation)
}

/** With --label the first word is the command. */
function read(
  words: readonly string[],
  { label }: InvokeOptions,
): { hosts: string[]; command: string; given: string | undefined } {
  const [hostList, command, given, ...more] = label ? [undefined, ...words] : words
  if (command === undefined || more.length > 0)
    throw failure('cli.usage', {
      problem:
        more.length > 0
          ? `There are more words than a host, a command and its parameters: ${more.join(' ')}.`
          : 'A host and a command are wanted.',
      hint: 'Write `muster invoke HOST COMMAND \'{"name": "value"}\'`, the parameters as one word.',
    })
  return {
    hosts: hostList === undefined ? [] : hostList.split(',').map(hostRef),
    command: check(CommandName, command, 'The command', '`muster host commands HOST` shows the commands of a host.'),
    given,
  }
}

const labelTest = (test: string) => check(LabelTest, test, 'The label', 'Write NAME=VALUE, NAME!=VALUE, NAME or !NAME.')
