// `muster token …`: access for people and programs.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { durationUpTo, oneOf, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const roles = ['operator', 'approver', 'viewer']
const year = 365 * 24 * 3600 * 1000

export function tokenCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'token', 'tokens: access to the hub from elsewhere')
  declareCommand(group, 'create <name>', 'mint a token; it is shown this once')
    .addOption(
      single(
        '--role <role>',
        'operator (everything), approver (reading, and answering approvals) or viewer (only reading); default viewer',
        oneOf(...roles),
      ),
    )
    .addOption(
      single('--expires <duration>', 'how long it is good for, e.g. 30d (default: until it is revoked)', durationUpTo(10 * year)),
    )
    .action(perform(async () => (await import('../token/create.ts')).create))
  declareCommand(group, 'list', 'the tokens, without their values').action(
    perform(async () => (await import('../token/list.ts')).list),
  )
  declareCommand(group, 'revoke <token>', 'revoke a token, by its id, at once and for good').action(
    perform(async () => (await import('../token/revoke.ts')).revoke),
  )
}
