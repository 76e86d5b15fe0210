import { describe, expect, test } from 'vitest'
import { endMasterArguments, linkArguments } from './arguments.ts'
import { SshConfig } from './config.ts'

const config = (more: object) => SshConfig.safeParse({ kind: 'ssh', ...more })

describe('a destination', () => {
  test.each(['box', 'deploy@build.example.com', 'a.b_c-d@10.0.0.5', 'root@[fe80::1%eth0]', '::1', 'first@corp@box'])(
    'may be %s',
    (destination) => {
      expect(config({ destination }).success).toBe(true)
    },
  )

  test.each([
    '',
    '-oProxyCommand=reboot',
    'user@-oProxyCommand=reboot',
    '-l@box',
    'two words',
    'box\n',
    'box\u0000',
    'user@',
    '@box',
    'a`id`@box',
    'box;reboot',
    '$(reboot)',
    "o'box",
    'x'.repeat(256),
  ])('must not be %j', (destination) => {
    expect(config({ destination }).success).toBe(false)
  })
})

test('a port, a file or a command that means something else to ssh or to a shell line is refused', () => {
  const bad = [
    { port: 0 },
    { port: 65_536 },
    { identityFile: 'key' },
    { configFile: '-v' },
    { remoteCommand: 'a\nb' },
    { jump: 'x' },
  ]
  for (const more of bad) expect(config({ destination: 'box', ...more }).success, JSON.stringify(more)).toBe(false)
})

test('the destination is the last word that ssh may take for an option, and comes after the dashes', () => {
  const full = SshConfig.parse({
    kind: 'ssh',
    destination: 'deploy@box',
    port: 2222,
    identityFile: '~/.ssh/key',
    configFile: '/etc/muster ssh',
    remoteCommand: 'MUSTER_HOME=/x muster',
  })
  const args = linkArguments(full, '/run/50%/master')
  expect(args.slice(args.indexOf('--'))).toEqual(['--', 'deploy@box', 'MUSTER_HOME=/x muster node attach'])
  expect(args).toContain('BatchMode=yes')
  // Of an option that is given twice ssh takes the first, so that nothing of the record comes before ours.
  expect(args.indexOf('-F')).toBeGreaterThan(args.indexOf('BatchMode=yes'))
  expect(args[args.indexOf('-S') + 1]).toBe('/run/50%%/master')
  expect(endMasterArguments(full, '/m').slice(-2)).toEqual(['--', 'deploy@box'])
})
