// The numbers of a connection: what one side may make the other hold. Sizes in bytes.
// `maxFrame` and `window` are the same for both sides: the smaller of what each offers; the rest is each side's own affair.

import { z } from 'zod'

const kibi = 1024
const mebi = 1024 * kibi

/** No side may offer a larger frame than this. */
export const maxFrameCap = 8 * mebi

export interface Limits {
  /** The largest frame, whole. */
  readonly maxFrame: number
  /** What a stream may send ahead of its reader. */
  readonly window: number
  /** Calls of the other side that are carried out at once; further ones are answered `wire.overloaded`. */
  readonly maxPending: number
  /** Uploads among them: each may cost a window of memory here. */
  readonly maxUploads: number
  /** The other side is pinged before it has been silent for so long. */
  readonly keepaliveMs: number
  /** After this long without a frame, or without a byte of ours taken, the connection is closed. */
  readonly deadMs: number
  /** Runs of zeros may be told instead of sent: where both sides have said that they know such frames. */
  readonly zeros: boolean
}

export const defaultLimits: Limits = {
  maxFrame: mebi,
  window: 512 * kibi,
  maxPending: 4096,
  maxUploads: 256,
  keepaliveMs: 15_000,
  deadMs: 45_000,
  zeros: false,
}

/** How far the stream of a `bulk` operation may run ahead: what a long line holds while the first of it is acknowledged. */
const bulkWindow = 4 * mebi
/** An upload of that kind counts as so many. */
export const bulkUploads = 8

/**
 * The limits of one operation's streams: the same at both ends, which know it by name. Zeros are told of files alone, which have holes; who
 * reads output would have to take a thousand times of what came.
 */
export function limitsOf({ bulk }: { readonly bulk?: true }, limits: Limits): Limits {
  return bulk ? { ...limits, window: Math.max(bulkWindow, limits.window) } : { ...limits, zeros: false }
}

/** What a hello says of limits. The lower bounds keep a peer from starving the other with frames of a few bytes. */
export const LimitsOffer = z.object({
  maxFrame: z
    .int()
    .min(64 * kibi)
    .max(maxFrameCap),
  window: z
    .int()
    .min(64 * kibi)
    .max(maxFrameCap),
  /** A side of an earlier release says nothing of it. */
  zeros: z.boolean().optional(),
})
export type LimitsOffer = z.output<typeof LimitsOffer>

export function agreeLimits(ours: Limits, theirs: LimitsOffer): Limits {
  return {
    ...ours,
    maxFrame: Math.min(ours.maxFrame, theirs.maxFrame),
    window: Math.min(ours.window, theirs.window),
    zeros: theirs.zeros === true,
  }
}
