// `muster host …`: the machines that the hub knows.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import type { Perform } from '../perform.ts'

export function hostCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'host', 'hosts: the machines that the hub knows')
  declareCommand(group, 'list', 'every host and whether it can be reached').action(
    perform(async () => (await import('../host/list.ts')).listHosts),
  )
  declareCommand(group, 'show <host>', 'one host, asked for its present state').action(
    perform(async () => (await import('../host/show.ts')).showHost),
  )
  declareCommand(group, 'remove <host>', 'forget a host and revoke its credential')
    .option('--force', 'also while it has live runs')
    .action(perform(async () => (await import('../host/remove.ts')).removeHost))
}
