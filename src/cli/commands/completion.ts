// `muster completion SHELL`, and the hidden command that the shell calls back on each Tab.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import type { Perform } from '../perform.ts'

export function completionCommands(program: Command, perform: Perform): void {
  declareCommand(program, 'completion <shell>', 'print the completion script for bash, zsh or fish')
    .addHelpText(
      'after',
      `
Examples:
  source <(muster completion bash)      in ~/.bashrc
  source <(muster completion zsh)       in ~/.zshrc
  muster completion fish | source       in ~/.config/fish/config.fish
`,
    )
    .action(perform(async () => (await import('../completion/script.ts')).printScript))
  declareCommand(program, 'complete [words...]', 'answer the shell', { hidden: true }).action(
    perform(async () => (await import('../completion/complete.ts')).completeFrom(program)),
  )
}
