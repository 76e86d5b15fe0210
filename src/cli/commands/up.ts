// `muster up`.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import { bind, single } from '../options.ts'
import type { Perform } from '../perform.ts'

export function upCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'up', 'bring up a hub and a second host on this machine, and show a workflow running on both')
    .addOption(single('--bind <addr:port>', 'where the hub listens (default 127.0.0.1:7878; port 0 takes a free one)', bind))
    .option('--no-work', 'only bring them up')
    .action(perform(async () => (await import('../up/up.ts')).up))
}
