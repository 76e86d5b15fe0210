// `muster policy …`: what may be begun on a host, and why.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { nonEmpty, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const testNotes = `
PARAMS is JSON, as in '{"path": "/srv/data"}'. It exits with 3 for a command that would be denied. On the host's own machine, \`muster node
policy test\` shows every rule of it; here those about other hubs are left out. What to change where is in docs/policy.md.
`

export function policyCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'policy', 'policy: what may be begun on a host, and why')
  declareCommand(group, 'test <host> <command> [params]', 'what would be decided about a command, rule by rule; nothing is begun')
    .addOption(single('--session <id>', 'in this session', nonEmpty))
    .addHelpText('after', testNotes)
    .action(perform(async () => (await import('../policy/test.ts')).test))
}
