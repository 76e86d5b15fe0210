import { expect, test } from 'vitest'
import { SshConfig } from './config.ts'
import { problemOf, shown } from './problem.ts'

const config = SshConfig.parse({ kind: 'ssh', destination: 'deploy@box', port: 2222, identityFile: "/k/it's" })

/** As OpenSSH 9.2 writes it. */
const cases: readonly [code: number | null, stderr: string, expected: string][] = [
  [255, 'Host key verification failed.\r\n', 'ssh.host_key_unknown'],
  [
    255,
    'No ED25519 host key is known for box and you have requested strict checking.\r\nHost key verification failed.\r\n',
    'ssh.host_key_unknown',
  ],
  [
    255,
    '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key for [box]:2222 has changed and you have requested strict checking.\r\nHost key verification failed.\r\n',
    'ssh.host_key_changed',
  ],
  // A jump that is refused: what the jump says comes first.
  [255, 'Host key verification failed.\r\nConnection closed by UNKNOWN port 65535\r\n', 'ssh.host_key_unknown'],
  [255, 'me@gate: Permission denied (publickey).\r\nConnection closed by UNKNOWN port 65535\r\n', 'ssh.refused'],
  [255, 'Received disconnect from ::1 port 22:2: Too many authentication failures\r\n', 'ssh.refused'],
  [255, 'ssh: connect to host box port 2222: Connection refused\r\n', 'ssh.unreachable'],
  [255, 'ssh: connect to host box port 2222: Connection timed out\r\n', 'ssh.unreachable'],
  [255, 'ssh: Could not resolve hostname box: Name or service not known\r\n', 'ssh.unreachable'],
  [255, 'Connection timed out during banner exchange\r\n', 'ssh.unreachable'],
  [255, 'kex_exchange_identification: Connection closed by remote host\r\n', 'ssh.unreachable'],
  [255, 'Connection to box closed by remote host.\r\n', 'ssh.unreachable'],
  [255, 'Timeout, server box not responding.\r\n', 'ssh.unreachable'],
  [255, '/c: line 3: Bad configuration option: nonsense\r\n/c: terminating, 1 bad configuration options\r\n', 'ssh.config'],
  [255, 'Bad owner or permissions on /home/me/.ssh/config\r\n', 'ssh.config'],
  [255, '', 'ssh.failed'],
  [null, '', 'ssh.failed'],
  [127, 'bash: line 1: muster: command not found\n', 'ssh.muster_missing'],
  [127, "/usr/bin/env: 'node': No such file or directory\n", 'ssh.muster_missing'],
  [126, 'bash: line 1: /opt/muster: Permission denied\n', 'ssh.muster_missing'],
  [8, 'muster needs Node.js 24 or newer and found 20.1.0 (/usr/bin/node); get it from https://nodejs.org/\n', 'ssh.node_old'],
  [2, "`muster node` takes no argument 'attach'.\nhint: …\n", 'ssh.muster_old'],
  [1, 'This account is currently not available.\n', 'ssh.failed'],
]

test.each(cases)('exit %s with %j is %s', (code, stderr, expected) => {
  expect(problemOf(config, { code, stderr, stdout: '' }).code).toBe(expected)
})

test('the command to try by hand has what the record has, as words for a shell', () => {
  const { hint } = problemOf(config, { code: 255, stderr: 'Host key verification failed.', stdout: '' })
  expect(hint).toContain(`\`ssh -p 2222 -o IdentitiesOnly=yes -i '/k/it'\\''s' deploy@box true\``)
})

test('what the other side says is cut to a bearable length and cannot steer a screen', () => {
  const evil = `\u001b]0;title\u0007\u202e${'x'.repeat(10_000)}`
  const { message } = problemOf(config, { code: 1, stderr: evil, stdout: '' })
  expect(message.length).toBeLessThan(500)
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(shown('plain ünïcode')).toBe('plain ünïcode')
})

test('a host whose key has changed is named as ssh-keygen wants it, and nothing else fits in there', () => {
  const said = (host: string) =>
    problemOf(config, { code: 255, stderr: `Host key for ${host} has changed and you`, stdout: '' }).hint
  expect(said('[box]:2222')).toContain("`ssh-keygen -R '[box]:2222'`")
  expect(said("x';reboot;'")).toContain("`ssh-keygen -R 'x;reboot;'`")
})
