// `muster mcp`: the tools of a language model over standard input and output.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import { nonEmpty, repeated } from '../options.ts'
import type { Perform } from '../perform.ts'

export function mcpCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'mcp', "serve a language model's tools over standard input and output, to be started by its client")
    .addOption(
      repeated(
        '--root <dir>',
        'where node_file may read and write here; may be repeated (default: the working directory)',
        nonEmpty,
      ),
    )
    .option('--instructions', 'print what a model is told of the fleet, and serve nothing')
    .addHelpText(
      'after',
      '\nThe hub is that of this home, or the one that MUSTER_HUB names, with MUSTER_TOKEN. It also serves the same tools at /mcp (docs/mcp.md).\n',
    )
    .action(perform(async () => (await import('../mcp/mcp.ts')).mcp))
}
