// The command line of `ssh`: for the link, and for a person who is to try the same by hand.
// What is given here wins over ~/.ssh/config, which else decides: keys, jumps, names, ciphers.

import type { SshConfig } from './config.ts'

/** After three unanswered ones the link is over: a cut network ends it within a minute. */
const aliveEverySeconds = 15
const aliveCount = 3
const connectTimeoutSeconds = 8

/** Only options that OpenSSH 7.6 knows already: an unknown one ends ssh. */
const settings = [
  // A daemon can answer no question.
  'BatchMode=yes',
  `ConnectTimeout=${connectTimeoutSeconds}`,
  `ServerAliveInterval=${aliveEverySeconds}`,
  `ServerAliveCountMax=${aliveCount}`,
  'ControlMaster=yes',
  // The master is this very process, so that no other is left when it ends.
  'ControlPersist=no',
  'ClearAllForwardings=yes',
  'PermitLocalCommand=no',
  'RemoteCommand=none',
  // Else a banner of the server comes between what ssh itself says.
  'LogLevel=ERROR',
]

/** Opens the master connection at `controlPath` and runs `node attach` over it, without terminal, agent or X11. */
export function linkArguments(config: SshConfig, controlPath: string): string[] {
  return [
    ...['-T', '-a', '-x', '-S', escaped(controlPath)],
    ...settings.flatMap((setting) => ['-o', setting]),
    ...given(config),
    '--',
    config.destination,
    `${config.remoteCommand} node attach`,
  ]
}

/** Ends the master that listens at `controlPath`, whoever left it. */
export function endMasterArguments(config: SshConfig, controlPath: string): string[] {
  return ['-S', escaped(controlPath), '-O', 'exit', ...given(config), '--', config.destination]
}

/** What a person types to see for himself. */
export function commandByHand(config: SshConfig): string {
  return ['ssh', ...given(config), config.destination, 'true'].map(quoted).join(' ')
}

function given({ configFile, port, identityFile }: SshConfig): string[] {
  return [
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(identityFile === undefined ? [] : ['-o', 'IdentitiesOnly=yes', '-i', identityFile]),
  ]
}

/** ssh takes a percent sign in it for a token. */
function escaped(path: string): string {
  return path.replaceAll('%', '%%')
}

/** As a word for a shell; a leading ~/ stays one. */
function quoted(text: string): string {
  return /^[\w./:@%+=,[\]~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
