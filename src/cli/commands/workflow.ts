// `muster workflow …`.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { nonEmpty, pair, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

export function workflowCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'workflow', 'workflows: steps over several machines, from a YAML file')
  declareCommand(group, 'run <file>', 'run a workflow, show its output live and its results as a table')
    .addOption(repeated('--input <name=value>', 'an input of the workflow', pair))
    .addOption(single('--host <host>', 'where steps run that name no host (default local)', nonEmpty))
    .option('--detach', "print the run's id and return")
    .action(perform(async () => (await import('../workflow/run.ts')).runWorkflow))
}
