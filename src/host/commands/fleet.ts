// The fleet's own management as commands of the hub's own host: what an operator may let a program or a model do that only has commands.
// They are hidden until the policy of that machine names them.

import { z } from 'zod'
import type { Caller } from '../../contract/caller.ts'
import { enrollNode, HostRow, listHosts } from '../../contract/host.ts'
import { HostName, Labels } from '../../contract/names.ts'
import { builtIn } from './builtin.ts'
import type { HostCommand } from './command.ts'

const Listed = HostRow.pick({ id: true, name: true, label: true, connector: true, labels: true, status: true }).strict()

/** `hub` answers the hub's own operations, as an operator may ask them. */
export function fleetCommands(hub: () => Promise<Caller>): HostCommand[] {
  const list = builtIn({
    name: 'fleet.list',
    description: 'The hosts that this hub knows, and whether each can be reached.',
    params: z.strictObject({}),
    result: z.strictObject({ hosts: z.array(Listed) }),
    async run(_params, { signal }) {
      const { hosts } = await (await hub()).call(listHosts, {}, { signal })
      return {
        hosts: hosts.map(({ id, name, label, connector, labels, status }) => ({ id, name, label, connector, labels, status })),
      }
    },
  })
  const enroll = builtIn({
    name: 'fleet.enroll',
    description: 'Makes a record for a host that will dial in, and answers the command that joins it, with its one-time token.',
    params: z.strictObject({ name: HostName, labels: Labels.default({}) }),
    result: z.strictObject({ host: z.string(), name: z.string(), command: z.string() }),
    sensitive: true,
    async run(params, { signal }) {
      const { host, name, command } = await (await hub()).call(
        enrollNode,
        { ...params, labels: { ...params.labels } },
        { signal },
      )
      return { host, name, command }
    },
  })
  return [list, enroll].map((command) => ({ ...command, hidden: true }))
}
