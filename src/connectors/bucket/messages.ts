// What the signed objects say. Their keys are in keys.ts, their signatures in envelope.ts.

import { z } from 'zod'
import { followApprovals } from '../../contract/approval.ts'
import { Artifact } from '../../contract/artifact.ts'
import { RunEvent } from '../../contract/event.ts'
import { NodeEvent } from '../../contract/fleet-event.ts'
import { HostInfo } from '../../contract/host.ts'
import { RunId } from '../../contract/names.ts'
import { ErrorValue } from '../../contract/run.ts'
import { byId } from './by-id.ts'

/** Nobody honest writes a larger object: whatever is, is not read. */
export const largestObjectBytes = 16 * 1024 * 1024
/** How long what a hub has signed may be acted on. What still waits is signed anew long before. */
export const validMs = 24 * 3600 * 1000
/** So much later a job that is over may be forgotten: no worker takes it for valid any more, unless its clock is so wrong. */
export const clockSlackMs = 2 * 3600 * 1000

/** So far apart clocks may be: what is good for minutes is good for so much longer, lest a worker take it for over at once. */
export const clocksApartMs = 3600 * 1000

const Count = z.int().nonnegative()

/** A run to start: the input of run.start. */
export const JobMessage = z.object({ type: z.literal('job'), run: RunId, input: z.unknown(), validUntil: Count })

/**
 * A deferrable operation: of a run, or, where `run` is the ask's own id, of none. Its claim says which worker carries that out; `worker` is
 * the only one that may. One that is valid no more was taken back: who carries it out ends it.
 */
export const AskMessage = z.object({
  type: z.literal('ask'),
  run: RunId,
  operation: z.string(),
  input: z.unknown(),
  validUntil: Count,
  worker: z.string().optional(),
})
export type AskMessage = z.output<typeof AskMessage>

/** Runs whose jobs are over, each with the time after which its job is not valid anyway. A worker takes no older list than it knows. */
export const DoneMessage = z.object({ type: z.literal('done'), version: Count, runs: byId(RunId, Count) })

/** A worker's claim. `asked`: what was asked of the run and is done, so that no worker does it again. `ended`: nobody need take it over. */
export const ClaimMessage = z.object({
  type: z.literal('claim'),
  run: RunId,
  fence: z.int().positive(),
  nonce: z.string(),
  renewal: Count,
  leaseMs: z.int().positive(),
  ended: z.boolean(),
  asked: z.array(z.string()),
})
export type ClaimMessage = z.output<typeof ClaimMessage>

/** That a worker lives. Each has a higher count than the one before. `leaving`: it has gone by its own will. */
export const BeatMessage = z.object({
  type: z.literal('beat'),
  count: Count,
  everyMs: z.int().positive(),
  leaving: z.boolean(),
  info: HostInfo,
})
export type BeatMessage = z.output<typeof BeatMessage>

/** Where a piece of an artifact goes: its SHA-256, and the offset in it; `after` is how much of all artifacts comes before. */
const ArtifactPiece = { ...Artifact.pick({ sha256: true }).shape, offset: Artifact.shape.bytes, after: Count }

const Claimed = { run: RunId, fence: z.int().positive() }

/** How far a run has been told of: its last event, its last chunk of output, the bytes of its artifacts one after the other. */
const Told = z.object({ seq: Count, chunks: Count, artifactBytes: Count.default(0) })
export type Told = z.output<typeof Told>

/** So many of them in one segment, and kept by the hub until they are read. */
export const mostNodeEvents = 100

/** So many of them in one segment: each may be as large as what can be shown to a person. */
export const mostApprovals = 10

/** What has happened since the segment before. The body is the chunk records of `outputs`, then the pieces of `artifacts`. */
export const SegmentMessage = z.object({
  type: z.literal('segment'),
  number: z.int().positive(),
  events: z.array(z.object({ ...Claimed, event: RunEvent })),
  outputs: z.array(z.object({ ...Claimed, after: Count, chunks: Count, bytes: Count, whole: z.boolean() })),
  artifacts: z.array(z.object({ ...Claimed, ...ArtifactPiece, bytes: Count })).default([]),
  /** What the worker's node tells of itself. */
  nodeEvents: z.array(NodeEvent).max(mostNodeEvents).default([]),
  /** What the worker's host asks people, and what became of it. */
  approvals: z.array(followApprovals.output).max(mostApprovals).default([]),
  answers: z.array(z.object({ to: z.string(), value: z.unknown().optional(), error: ErrorValue.optional() })),
  /** For the worker itself: where each unfinished run goes on after this segment. */
  told: z.record(RunId, Told),
  /** The same for what its node tells and what its host asks: the last that is told. */
  nodeTold: Count.default(0),
  approvalsTold: Count.default(0),
})
export type SegmentMessage = z.output<typeof SegmentMessage>
