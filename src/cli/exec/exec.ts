// `muster exec`: a command on one host, as if it ran here, or on several at once.

import { ArtifactGlob } from '../../contract/artifact.ts'
import { failure } from '../../contract/errors.ts'
import { check, hostRef, uniquePairs } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import type { Terminal } from '../terminal.ts'
import { execOnMany } from './many-hosts.ts'
import { execOnOne } from './one-host.ts'
import type { ExecOptions, ExecRequest } from './request.ts'

export const exec: Action<ExecOptions, [string, string[]]> = async (terminal, options, hostList, command) => {
  const hosts = hostsOf(hostList)
  const request = requestOf(terminal, options, command)
  using client = connect(terminal)
  const [host] = hosts
  if (hosts.length === 1 && host !== undefined) return await execOnOne({ terminal, client, options }, host, request)
  return await execOnMany({ terminal, client, options }, hosts, request)
}

function hostsOf(list: string): string[] {
  const hosts = list.split(',')
  if (hosts.includes('')) throw wrong(`A host's name is missing in "${list}".`, 'Hosts are written HOST,HOST without spaces.')
  const twice = hosts.find((host, i) => hosts.indexOf(host) !== i)
  if (twice !== undefined) throw wrong(`The host ${twice} is named twice.`, 'Name each host once.')
  return hosts.map(hostRef)
}

function requestOf({ argv, env }: Terminal, options: ExecOptions, command: string[]): ExecRequest {
  return {
    spec: {
      kind: 'command',
      argv: commandOf(argv, options, command),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.env && {
        env: uniquePairs(
          '--env',
          options.env.map(([name, value]) => [name, value ?? ownVariable(env, name)]),
        ),
      }),
      ...(options.timeout !== undefined && { timeoutMs: options.timeout }),
      ...(options.artifact && { artifacts: options.artifact.map(artifactGlob) }),
    },
    key: options.runKey,
    queue: options.queue === true,
    detach: options.detach === true,
  }
}

const artifactGlob = (glob: string) =>
  check(ArtifactGlob, glob, 'The glob', "Name files from the working directory on, in quotes: `--artifact 'out/*.tar'`.")

/** The words after `--`. Without it, an option meant for the command would silently become ours. */
function commandOf(argv: readonly string[], { shell }: ExecOptions, command: string[]): string[] {
  const example = 'Put it after two dashes: `muster exec HOST -- COMMAND ARG...`.'
  if (command.length === 0) throw wrong('No command is given.', example)
  if (argv.indexOf('--') !== argv.length - command.length - 1) throw wrong('The command does not stand after "--".', example)
  if (command[0] === '') throw wrong("The command's name is empty.", example)
  return shell ? ['/bin/sh', '-c', command.join(' ')] : command
}

function ownVariable(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name]
  if (value === undefined)
    throw wrong(`The variable ${name} is not set here.`, `Set it, or give its value: \`--env ${name}=VALUE\`.`)
  return value
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem, hint })
}
