// The figures, in the order in which they are taken and printed.

import type { Figure } from '../figure.ts'
import { figure as cli } from './cli.ts'
import { figure as copy } from './copy.ts'
import { figure as growth } from './growth.ts'
import { figure as idleNodes } from './idle-nodes.ts'
import { figure as invoke } from './invoke.ts'
import { figure as jobs } from './jobs.ts'
import { figure as output } from './output.ts'
import { figure as roundTrip } from './round-trip.ts'
import { figure as slowHosts } from './slow-hosts.ts'
import { figure as sshCalls } from './ssh-calls.ts'
import { figure as start } from './start.ts'

export const figures: readonly Figure[] = [
  roundTrip,
  invoke,
  sshCalls,
  start,
  jobs,
  output,
  copy,
  idleNodes,
  slowHosts,
  cli,
  growth,
]
