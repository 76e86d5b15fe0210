// `muster invoke`.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import { duration, nonEmpty, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const notes = `
PARAMS is a JSON object, or @FILE, which holds one; \`muster host commands HOST\` shows the commands and what each wants. The
result goes to standard output as JSON; what the command says on its way, to standard error. Ctrl-C cancels it.

With several hosts or --label, equal results are shown once, under the names of their hosts; the exit code is 0 if all
answered, else 1.

Examples:
  muster invoke box system.info
  muster invoke box exec '{"argv": ["uname", "-a"]}'
  muster invoke --label gpu=true --label 'zone!=eu' exec '{"argv": ["nvidia-smi"]}'
  muster invoke box shell --params-stdin < params.json
`

export function invokeCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'invoke [words...]', "invoke a command of a host's catalog, on one host or several")
    .usage('[options] HOST[,HOST...] COMMAND [PARAMS]  |  --label TEST [options] COMMAND [PARAMS]')
    .addOption(
      repeated(
        '--label <test>',
        'on hosts of this label: NAME=VALUE, NAME!=VALUE, NAME, !NAME; may be repeated, all count',
        nonEmpty,
      ),
    )
    .option('--params-stdin', 'read the parameters from standard input')
    .addOption(
      single(
        '--timeout <duration>',
        'how long to wait, e.g. 10m (several hosts: default 2m each, not counting approvals)',
        duration,
      ),
    )
    .addOption(single('--key <key>', 'the same key with the same request again gets the same answer, for 10 minutes', nonEmpty))
    .addOption(single('--session <session>', 'what belongs together: an approval may be given for it', nonEmpty))
    .addOption(single('--reason <reason>', 'why, for the person who may be asked', nonEmpty))
    .addHelpText('after', notes)
    .action(perform(async () => (await import('../invoke/invoke.ts')).invoke))
}
