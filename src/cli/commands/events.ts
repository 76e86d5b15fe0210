// `muster events`: what happens at the hub, to its links and on its nodes.

import type { Command } from 'commander'
import { topicScopes } from '../../contract/topic.ts'
import { declareCommand } from '../declare.ts'
import { integer, nonEmpty, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const families = Object.keys(topicScopes)
  .map((family) => `${family}.*`)
  .join(', ')

export function eventsCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'events', 'what happened and happens: hosts that come and go, what their nodes tell, runs that ended')
    .addOption(
      repeated(
        '--topic <topic>',
        `only these: a topic such as host.connected, or a family (${families}); may be repeated`,
        nonEmpty,
      ),
    )
    .addOption(
      single('--after <n>', 'only those after this number (default: all that are kept)', integer(0, Number.MAX_SAFE_INTEGER)),
    )
    .addOption(single('--last <n>', 'only the newest so many of those that are kept, whatever their topics', integer(1, 1000)))
    .option('-f, --follow', 'go on with those to come')
    .addHelpText(
      'after',
      '\nWith --json each event is one line of JSON, as it comes; its `position` is what the next --after takes.\n',
    )
    .action(perform(async () => (await import('../events.ts')).events))
}
