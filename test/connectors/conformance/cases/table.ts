// The one table of what every connector must do. Cases that need a host for themselves come last.

import type { CaseGroup } from '../case.ts'
import { about } from './about.ts'
import { approvals, approvalsApart } from './approvals.ts'
import { artifacts, keptOverRestarts } from './artifacts.ts'
import { away } from './away.ts'
import { clocks } from './clocks.ts'
import { commands, commandsApart } from './commands.ts'
import { crowd } from './crowd.ts'
import { ending } from './ending.ts'
import { events, nodeEvents } from './events.ts'
import { files } from './files.ts'
import { listing } from './listing.ts'
import { largeOutput, output } from './output.ts'
import { pausedRestarts, pausing } from './pausing.ts'
import { killed } from './restarts.ts'
import { starting } from './starting.ts'
import { stdin } from './stdin.ts'
import { stopping } from './stopping.ts'
import { surroundings } from './surroundings.ts'

export const caseGroups: readonly CaseGroup[] = [
  about,
  starting,
  listing,
  output,
  events,
  ending,
  stopping,
  pausing,
  stdin,
  surroundings,
  crowd,
  artifacts,
  commands,
  approvals,
  files,
  largeOutput,
  nodeEvents,
  killed,
  pausedRestarts,
  keptOverRestarts,
  clocks,
  commandsApart,
  approvalsApart,
  away,
]
