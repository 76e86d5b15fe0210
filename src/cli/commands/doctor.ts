// `muster doctor`.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import type { Perform } from '../perform.ts'

export function doctorCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'doctor', 'check this machine and its hub, and say how to mend what is wrong').action(
    perform(async () => (await import('../doctor/doctor.ts')).doctor),
  )
}
