// Programs outside npm that some tests need: `npm test` brings them where it may, and names what it skips where it may not.
// A test that needs one skips itself with `test.skipIf(!hasProgram('...'))` and has a row here.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Program {
  readonly program: string
  /** The package of Debian and Ubuntu that holds it. */
  readonly debian: string
}

interface SystemPart extends Program {
  readonly suite: string
  readonly reason: string
}

export const systemParts: readonly SystemPart[] = [
  {
    program: 'shellcheck',
    debian: 'shellcheck',
    suite: 'test/habits/shell.test.ts',
    reason: 'reads the shell scripts the way a careful shell programmer would',
  },
  {
    program: 'faketime',
    debian: 'faketime',
    suite: 'test/chaos/clock.test.ts, test/chaos/long-units.test.ts',
    reason: 'sets the clock of a hub and of a node while they run',
  },
  {
    program: 'gnome-keyring-daemon',
    debian: 'gnome-keyring',
    suite: 'test/hub/keychain.test.ts',
    reason: "keeps a host's token as a desktop's keychain does",
  },
  {
    program: 'dbus-run-session',
    debian: 'dbus',
    suite: 'test/hub/keychain.test.ts',
    reason: 'gives the keychain a session bus of its own',
  },
  {
    program: 'openssl',
    debian: 'openssl',
    suite: 'test/sdk/tls.test.ts, test/connectors/http/, test/fleet/tunnel-tls.test.ts',
    reason: 'is the throwaway certificate authority',
  },
  {
    program: 'nginx',
    debian: 'nginx-light',
    suite: 'test/fleet/tunnel-tls.test.ts',
    reason: 'ends TLS before a hub, as it does on many machines',
  },
  {
    program: 'sshd',
    debian: 'openssh-server',
    suite: 'test/connectors/ssh.test.ts, test/connectors/every-kind.test.ts, test/chaos/long-units.test.ts',
    reason: 'hosts are reached through a real ssh server and client',
  },
  {
    program: 'radosgw',
    debian: 'radosgw',
    suite: 'test/connectors/bucket/',
    reason: "is Ceph's S3 server, which keeps a bucket that nobody here has written",
  },
  {
    program: 'ceph-mon',
    debian: 'ceph-mon',
    suite: 'test/connectors/bucket/',
    reason: "is the monitor that Ceph's S3 server needs",
  },
  {
    program: 'ceph-osd',
    debian: 'ceph-osd',
    suite: 'test/connectors/bucket/',
    reason: "is the store that Ceph's S3 server needs",
  },
  {
    program: 'ceph',
    debian: 'ceph-common',
    suite: 'test/connectors/bucket/',
    reason: "sets up the cluster of Ceph's S3 server",
  },
  {
    program: 'ip',
    debian: 'iproute2',
    suite: 'test/chaos/partitions.test.ts',
    reason: 'gives hub and hosts a network namespace each, and a cable between them',
  },
  {
    program: 'nft',
    debian: 'nftables',
    suite: 'test/chaos/partitions.test.ts',
    reason: 'lets packets vanish on that cable',
  },
  {
    program: 'script',
    debian: 'bsdutils',
    suite: 'test/cli/hosts.test.ts',
    reason: 'is a terminal on which a question can be answered',
  },
  {
    program: 'Xvfb',
    debian: 'xvfb',
    suite: 'test/host/screenshot.test.ts',
    reason: 'is a display on which a picture can be put',
  },
  {
    program: 'import',
    debian: 'imagemagick',
    suite: 'test/host/screenshot.test.ts',
    reason: 'takes the picture of a display, as the command `screenshot` does',
  },
  { program: 'zsh', debian: 'zsh', suite: 'test/package/pack.test.ts', reason: 'must accept its completion script' },
  { program: 'fish', debian: 'fish', suite: 'test/package/pack.test.ts', reason: 'must accept its completion script' },
]

export function hasProgram(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)))
}

/** Installs what is missing where that can be done unasked: Debian or Ubuntu, as root or with a sudo that asks nothing. */
export function installPrograms(purpose: string, programs: readonly Program[]): void {
  const packages = programs.filter(({ program }) => !hasProgram(program)).map(({ debian }) => debian)
  if (packages.length === 0 || !hasProgram('apt-get')) return
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive']
  if (asRoot[0] && !hasProgram(asRoot[0])) return
  console.log(`Installing for ${purpose}: ${packages.join(', ')} ...`)
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
    const [program = '', ...rest] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '--quiet=2', ...args]
    const done = spawnSync(program, rest, { encoding: 'utf8' })
    if (done.status !== 0) return console.log(`apt-get ${args[0]} failed, so it is left out: ${lastLine(done.stderr)}`)
  }
}

/** The parts that this machine still lacks. */
export function missingParts(): SystemPart[] {
  return systemParts.filter((part) => !hasProgram(part.program))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? ''
}
