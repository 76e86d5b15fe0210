// How `muster host add` is told of an ssh host.

import type { ConnectorFlags } from '../flag.ts'

export const sshFlags: ConnectorFlags = {
  kind: 'ssh',
  way: {
    flags: '--ssh <destination>',
    field: 'destination',
    description: 'reach it by ssh: user@host, or the name of an entry in ~/.ssh/config',
  },
  others: [
    { flags: '--port <port>', field: 'port', value: 'count', description: "ssh: the port, if not what ssh's configuration says" },
    {
      flags: '--identity <file>',
      field: 'identityFile',
      value: 'file',
      description: 'ssh: the private key to use, beside those that its configuration names',
    },
    {
      flags: '--ssh-config <file>',
      field: 'configFile',
      value: 'file',
      description: "ssh: a configuration instead of ~/.ssh/config and the system's",
    },
    {
      flags: '--remote-command <command>',
      field: 'remoteCommand',
      description: 'ssh: what starts Muster there, if not `muster`',
    },
  ],
  takesToken: false,
}
