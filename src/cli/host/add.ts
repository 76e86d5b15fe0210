// `muster host add`: a record for a host that the hub reaches by itself. The id alone on stdout; how it went on stderr.

import { failure } from '../../contract/errors.ts'
import { addHost as addHostOperation, type HostDetail } from '../../contract/host.ts'
import { hostName } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { isToken, readToken } from '../stdin-secret.ts'
import type { Terminal } from '../terminal.ts'
import { howItAnswered } from './answered.ts'
import { checkConnector, checkFiles } from './check-connector.ts'
import { type Chosen, chooseConnector, type Given } from './connector-options.ts'
import { labelsOf } from './labels.ts'

interface AddOptions extends Given {
  readonly token?: string
  readonly tokenStdin?: true
  readonly label?: [string, string][]
  readonly trust?: string[]
  readonly probe: boolean
}

export const addHost: Action<AddOptions, [string]> = async (terminal, options, name) => {
  const chosen = chooseConnector(options, terminal.cwd)
  const input = {
    name: hostName(name),
    labels: labelsOf(options.label),
    connector: chosen.connector,
    probe: options.probe,
    ...(options.trust && { trust: options.trust }),
  }
  checkConnector(chosen)
  // Another machine's hub has files of its own.
  if (!terminal.env.MUSTER_HUB) await checkFiles(chosen.files)
  const secret = await tokenFor(input.name, chosen, terminal, options)
  for (const warning of chosen.warnings) terminal.say(warning)
  using client = connect(terminal)
  const added = await client.hub.call(addHostOperation, { ...input, ...(secret !== undefined && { secret }) })
  if (!options.json) for (const line of howItWent(added.host, added.command)) terminal.say(line)
  return { json: added, text: added.host.id }
}

function howItWent(host: HostDetail, command: string | null): string[] {
  return [...howItAnswered(host, 'was added'), ...(command === null ? [] : ['Run this on that machine:', `  ${command}`])]
}

/** From standard input, the option, or MUSTER_HOST_TOKEN; MUSTER_TOKEN is what this hub is shown. */
async function tokenFor(
  name: string,
  { takesToken, way }: Chosen,
  terminal: Terminal,
  { token, tokenStdin }: AddOptions,
): Promise<string | undefined> {
  if (!takesToken) {
    if (token === undefined && !tokenStdin) return undefined
    throw wrong(`A host that is reached by ${way} takes no token.`, 'Leave the token away.')
  }
  if (token !== undefined && tokenStdin)
    throw wrong('The token is given twice, by --token and by --token-stdin.', 'Use --token-stdin alone.')
  if (tokenStdin) return readToken(terminal)
  if (token !== undefined) terminal.say('--token can be seen in the list of processes; --token-stdin cannot.')
  const given = token ?? (terminal.env.MUSTER_HOST_TOKEN || undefined)
  if (given === undefined) throw failure('host.token_missing', { host: name })
  if (isToken(given)) return given
  throw wrong('The token is no token: it must be one line without spaces.', 'Give it by a pipe: `--token-stdin < token-file`.')
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem, hint })
}
