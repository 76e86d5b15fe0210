// What an inbox has on record (state.json): how far each worker was heard, what is known of each run, and what was asked for.

import { z } from 'zod'
import { followApprovals } from '../../contract/approval.ts'
import { NodeEvent } from '../../contract/fleet-event.ts'
import { ErrorValue, Run } from '../../contract/run.ts'
import { byId } from './by-id.ts'

const KnownRun = z.object({
  worker: z.string(),
  fence: z.int(),
  /** The last event that this worker has told of; after a takeover it counts otherwise than the run does. */
  seq: z.int(),
  run: Run.nullable(),
  lastPosition: z.int(),
  output: z.object({ file: z.string(), bytes: z.int(), whole: z.boolean() }),
  /** The file of which a copy was begun. */
  copied: z.string().nullable(),
  /** What was last read of its output and artifacts was read to its end. A record that does not say so is of a run read long ago. */
  readWhole: z.boolean().default(true),
  cleaned: z.boolean(),
})
export type KnownRun = z.output<typeof KnownRun>

export const InboxState = z.object({
  nextPosition: z.int().default(1),
  journalBytes: z.int().default(0),
  /** The time of the newest ask, so that the next one's id is higher whatever the clock says. */
  askedAtMs: z.int().default(0),
  /** What its workers' nodes have told of themselves, the newest of it, numbered here: each of them numbers for itself. */
  nodeEvents: z.array(NodeEvent).default([]),
  nextNodeEvent: z.int().default(1),
  /** What its workers' hosts ask people, the newest change of each question and when it was heard here. */
  approvals: z.array(followApprovals.output.extend({ heardAtMs: z.int() })).default([]),
  /** Numbered here, too, from the time on at which that began: whose record was lost goes on behind what it has told. */
  nextApproval: z.int().default(() => Date.now()),
  /** By question, the worker whose host asks it. */
  askedBy: byId(z.string(), z.string()),
  doneVersion: z.int().default(0),
  done: byId(z.string(), z.int()),
  /** Of each run that was asked for, what it is to be, as a digest. */
  specs: byId(z.string(), z.string()),
  refused: byId(z.string(), ErrorValue),
  workers: byId(z.string(), z.object({ next: z.int(), beat: z.int() })),
  runs: byId(z.string(), KnownRun),
})
export type InboxState = z.output<typeof InboxState>
