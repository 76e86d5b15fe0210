// `muster exec`.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import { duration, nonEmpty, repeated, single, variable } from '../options.ts'
import type { Perform } from '../perform.ts'

const notes = `
The command's own exit code is passed through (128 + N after signal N); 255 means that Muster itself failed. With several
hosts it is 0 if the command succeeded on all, else 1. Ctrl-C leaves; the run goes on.

Examples:
  muster exec local -- uname -a
  tar c src | muster exec build-1 --cwd /tmp -- tar x
  muster exec web-1,web-2,db --fold -- uptime
  muster exec build-1 --cwd src --artifact 'out/*.tar' -- make dist
`

/** What it answers for Muster's own failures: a code that commands hardly use themselves. */
const failureExit = 255

export function execCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'exec <hosts> [command...]', 'run a command on a host, or on several at once')
    .usage('[options] HOST[,HOST...] -- COMMAND [ARG...]')
    .option('-n, --no-stdin', 'do not pass standard input on')
    .option('--detach', "print the run's id and return")
    .addOption(single('--run-key <key>', 'the same key with the same request again is the same run', nonEmpty))
    .addOption(single('--cwd <dir>', "working directory there (default: the home of the node's account)", nonEmpty))
    .addOption(repeated('--env <name[=value]>', "a variable for the command; without a value, the caller's own", variable))
    .addOption(single('--timeout <duration>', 'stop the command after this long, e.g. 10m (default 1d)', duration))
    .option('--shell', 'what follows -- is one line for /bin/sh -c')
    .addOption(repeated('--artifact <glob>', 'keep these files of its working directory with the run; may be repeated', nonEmpty))
    .option('--queue', 'wait for a host that is offline')
    .option('--fold', 'with several hosts: show equal outputs once, when all have ended')
    .addHelpText('after', notes)
    .action(perform(async () => (await import('../exec/exec.ts')).exec, { failureExit }))
}
