// Why an ssh link could not be made, from what ssh leaves: exit code, what was written to stderr and stdout.
// ssh itself exits with 255; any other code is that of the command on the far side. Its sentences are not translated.

import { failure, type MusterError } from '../../contract/errors.ts'
import { commandByHand } from './arguments.ts'
import type { SshConfig } from './config.ts'

export interface SshEnd {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stderr: string
  /** What came before any marker. */
  readonly stdout: string
}

export function problemOf(config: SshConfig, end: SshEnd): MusterError {
  return end.code === 255 || end.code === null ? ownProblem(config, end) : farProblem(config, end)
}

function ownProblem(config: SshConfig, { code, stderr }: SshEnd): MusterError {
  const { destination } = config
  const command = commandByHand(config)
  const saying = (pattern: RegExp) => lines(stderr).find((line) => pattern.test(line))

  // A changed key fails the verification too: asked for first.
  const changed = /host key for (\S{1,300}) has changed/i.exec(stderr)?.[1]
  if (changed !== undefined || /REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    const host = shown(changed ?? destination)
    return failure('ssh.host_key_changed', { host, command: `ssh-keygen -R '${host.replaceAll("'", '')}'` })
  }
  if (saying(/host key is known|Host key verification failed/)) {
    return failure('ssh.host_key_unknown', { destination, command })
  }
  const configured = saying(
    /bad configuration option|bad owner or permissions|keyword |Can't open user config file|extra arguments/i,
  )
  if (configured !== undefined) return failure('ssh.config', { problem: configured })

  const refused = saying(/Permission denied|Too many authentication failures|No supported authentication/)
  if (refused !== undefined) return failure('ssh.refused', { destination, problem: refused, command })

  const away = saying(
    /Could not resolve|Connection refused|timed out|No route to host|is unreachable|Connection (closed|reset)|closed by remote host|Broken pipe|not responding/,
  )
  if (away !== undefined) return failure('ssh.unreachable', { destination, problem: away })

  const how = code === null ? 'ssh was killed' : 'ssh exited with 255'
  return failure('ssh.failed', { destination, problem: lines(stderr).at(-1) ?? `${how} and said nothing`, command })
}

function farProblem(config: SshConfig, { code, stderr, stdout }: SshEnd): MusterError {
  const { destination, remoteCommand } = config
  const last = lines(stderr).at(-1) ?? lines(stdout).at(-1) ?? `it exited with ${code} and said nothing`

  const needsNode = lines(stderr).find((line) => /^muster needs Node\.js \d+ or newer/.test(line))
  if (needsNode !== undefined) return failure('ssh.node_old', { destination, problem: needsNode })
  if (code === 126 || code === 127) {
    return failure('ssh.muster_missing', { destination, command: shown(remoteCommand), problem: last })
  }
  // The exit code for a command line that is not understood: it knows no `node attach`.
  if (code === 2) return failure('ssh.muster_old', { destination, problem: lines(stderr)[0] ?? last })
  return failure('ssh.failed', { destination, problem: last, command: `${commandByHand(config)}` })
}

/** What came instead of the marker, for `ssh.noise`. */
export function noiseProblem({ destination }: SshConfig, stdout: string): MusterError {
  return failure('ssh.noise', { destination, line: lines(stdout)[0] ?? 'bytes that are no text' })
}

/** Lines with something in them, safe to print and of bearable length, without their full stop. */
function lines(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => shown(line.trim()).replace(/\.$/, ''))
    .filter((line) => line !== '')
}

/** Text from elsewhere: no control characters, nothing that reorders text, and not much of it. */
export function shown(text: string, most = 300): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, '?')
  return clean.length > most ? `${clean.slice(0, most)}…` : clean
}
