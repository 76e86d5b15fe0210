// `muster approval …`: what hosts ask people before they run it.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { nonEmpty, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const linkNotes = `
Whoever has the link can answer this one approval, once, until its time is over, and nothing else. It is printed this once.
The page shows what would run; looking at it answers nothing.
`

export function approvalCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'approval', 'approvals: what hosts ask people before they run it')
  declareCommand(group, 'list', 'what waits for an answer')
    .option('--all', 'also what is over')
    .addOption(single('--host <host>', 'only what this host asks', nonEmpty))
    .action(perform(async () => (await import('../approval/list.ts')).list))
  declareCommand(group, 'show <approval>', 'one approval: exactly what would run, who asks, and what became of it').action(
    perform(async () => (await import('../approval/show.ts')).show),
  )
  declareCommand(group, 'approve <approval>', 'let it run, once; what will run is printed on standard error')
    .option('--session', 'also what has the same shape, in the same session, for 12 hours')
    .addOption(single('--reason <reason>', 'why, for the record', nonEmpty))
    .action(perform(async () => (await import('../approval/approve.ts')).approve))
  declareCommand(group, 'deny <approval>', 'let it not run')
    .addOption(single('--reason <reason>', 'why; who asks is told', nonEmpty))
    .action(perform(async () => (await import('../approval/deny.ts')).deny))
  declareCommand(group, 'revoke <approval>', 'take back what was approved for a session').action(
    perform(async () => (await import('../approval/revoke.ts')).revoke),
  )
  declareCommand(group, 'link <approval>', 'a signed web link that answers it once, for a phone')
    .addOption(single('--url <url>', "the hub's address as the phone reaches it, such as https://hub.example", nonEmpty))
    .option('--insecure', 'also over http:// beyond this machine')
    .addHelpText('after', linkNotes)
    .action(perform(async () => (await import('../approval/link.ts')).link))
}
