// What a worker has to tell its hub, gathered into signed, numbered segments: events, output, answers. One segment is put at a time,
// and is on this machine's disk before: see worker-home.ts.

import type { Logger } from 'pino'
import type { ApprovalChange } from '../../contract/approval.ts'
import { asMusterError, failure } from '../../contract/errors.ts'
import type { RunEvent } from '../../contract/event.ts'
import type { NodeEvent } from '../../contract/fleet-event.ts'
import { pause } from '../../contract/pause.ts'
import type { Identity } from '../../wire/identity.ts'
import { makeBell } from './bell.ts'
import { type Place, seal, unseal } from './envelope.ts'
import { segmentKey } from './keys.ts'
import { mostApprovals, mostNodeEvents, SegmentMessage, type Told } from './messages.ts'
import type { Objects } from './objects.ts'
import type { WorkerHome } from './worker-home.ts'

/** Output in one segment, about. */
const mostBytes = 4 * 1024 * 1024
const mostEvents = 2_000
/** Of answers, beside them: pieces of files are some. */
const mostAnswerBytes = 6 * 1024 * 1024
const putAgainMs = 1_000
const putAgainAtMostMs = 30_000

type Claimed = { readonly run: string; readonly fence: number }
type Answer = SegmentMessage['answers'][number]
type Output = SegmentMessage['outputs'][number]
type ArtifactPiece = SegmentMessage['artifacts'][number]

export interface News {
  /** Where a run goes on, by the segments made so far. */
  toldOf(run: string): Told
  /** Resolves when there is room for more, not when it is put; so does `output`. */
  event(claimed: Claimed, event: RunEvent): Promise<void>
  output(claimed: Claimed, piece: { after: number; chunks: number; bytes: Uint8Array }): Promise<void>
  artifact(claimed: Claimed, piece: Pick<ArtifactPiece, 'sha256' | 'offset' | 'after'>, bytes: Uint8Array): Promise<void>
  /** What the node tells of itself, and the last of it that was told. */
  nodeEvent(event: NodeEvent): Promise<void>
  readonly nodeTold: number
  /** What the host asks people. Resolves when there is room for more; `inBucket` when it is where the hub can read it. */
  approval(change: ApprovalChange): Promise<{ readonly inBucket: Promise<void> }>
  /** The last of it that is in a segment. */
  readonly approvalsTold: number
  /** There is no more output, and no more of artifacts. */
  outputIsWhole(claimed: Claimed, chunks: number): void
  answer(answer: Answer): void
  /** Drops what is not yet in a segment of a run that is another's now. */
  drop(run: string): void
  /** Resolves once all that was told until now is in the bucket, or the signal aborts. */
  settled(signal: AbortSignal): Promise<void>
  /** Puts segments until the signal aborts. */
  send(signal: AbortSignal): Promise<void>
}

export interface NewsOf {
  readonly objects: Objects
  readonly home: WorkerHome
  readonly host: string
  readonly worker: { readonly id: string; readonly identity: Identity; readonly introduction: string }
  /** What comes within this time goes into one segment. */
  readonly gatherMs: number
  readonly log: Logger
}

export function openNews({ objects, home, host, worker, gatherMs, log }: NewsOf): News {
  const come = makeBell()
  let wasPut = Promise.withResolvers<void>()
  const place = (number: number) => ({ host, key: segmentKey(worker.id, number) })
  const former = home.newest && readFormer(place(home.newest.number), home.newest.bytes)
  let number = former?.number ?? 0
  const told = new Map<string, Told>(Object.entries(former?.told ?? {}))
  const toldOf = (run: string): Told => told.get(run) ?? { seq: 0, chunks: 0, artifactBytes: 0 }

  // Each thing to tell has a number, so that one can wait until it and all before it are put.
  let events: { at: number; event: SegmentMessage['events'][number] }[] = []
  let outputs: { at: number; output: Output; bytes: Uint8Array }[] = []
  let artifacts: { at: number; artifact: ArtifactPiece; bytes: Uint8Array }[] = []
  const answers: { at: number; answer: Answer }[] = []
  const nodeEvents: { at: number; event: NodeEvent }[] = []
  let nodeTold = former?.nodeTold ?? 0
  const approvals: { at: number; change: ApprovalChange }[] = []
  let approvalsTold = former?.approvalsTold ?? 0
  let last = 0
  /** The lowest number in the segment that is being put. */
  let underway = home.newest ? 0 : Infinity
  const kinds = () => [events, outputs, artifacts, nodeEvents, approvals, answers]
  const oldest = () => Math.min(...kinds().map(([first]) => first?.at ?? Infinity))
  const isPut = (at: number) => Math.min(oldest(), underway) > at
  const waitingBytes = () => [...outputs, ...artifacts].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)

  async function untilRoom(): Promise<void> {
    come.ring()
    while (events.length > 2 * mostEvents || waitingBytes() > 2 * mostBytes) await wasPut.promise
  }

  /** In their order, and no more than leave room for the rest of a segment; one at least. */
  function takeAnswers(): typeof answers {
    let size = 0
    const most = answers.findIndex(({ answer }, n) => {
      size += JSON.stringify(answer).length
      return n > 0 && size > mostAnswerBytes
    })
    return answers.splice(0, most === -1 ? answers.length : most)
  }

  /** The next segment's bytes; what goes into it no longer waits. */
  function gather(): Buffer {
    underway = oldest()
    number++
    const taken = {
      events: events.splice(0, mostEvents),
      nodeEvents: nodeEvents.splice(0, mostNodeEvents),
      approvals: approvals.splice(0, mostApprovals),
      answers: takeAnswers(),
      outputs: [] as typeof outputs,
      artifacts: [] as typeof artifacts,
    }
    // In the order in which they came: what says that there is no more must not overtake what there is.
    for (let size = 0; size < mostBytes; ) {
      const [output, artifact] = [outputs[0], artifacts[0]]
      const next = artifact && artifact.at < (output?.at ?? Infinity) ? artifact : output
      if (!next) break
      size += next.bytes.byteLength
      if (next === artifact) taken.artifacts.push(...artifacts.splice(0, 1))
      else taken.outputs.push(...outputs.splice(0, 1))
    }
    for (const { event } of taken.events) told.set(event.run, { ...toldOf(event.run), seq: event.event.seq })
    for (const { output } of taken.outputs) told.set(output.run, { ...toldOf(output.run), chunks: output.after + output.chunks })
    for (const { artifact } of taken.artifacts)
      told.set(artifact.run, { ...toldOf(artifact.run), artifactBytes: artifact.after + artifact.bytes })
    nodeTold = taken.nodeEvents.at(-1)?.event.position ?? nodeTold
    approvalsTold = taken.approvals.at(-1)?.change.position ?? approvalsTold
    for (const run of [...told.keys()]) if (home.held.get(run)?.ended !== false) told.delete(run)
    const message: SegmentMessage = {
      type: 'segment',
      number,
      events: taken.events.map(({ event }) => event),
      outputs: taken.outputs.map(({ output }) => output),
      artifacts: taken.artifacts.map(({ artifact }) => artifact),
      nodeEvents: taken.nodeEvents.map(({ event }) => event),
      approvals: taken.approvals.map(({ change }) => change),
      answers: taken.answers.map(({ answer }) => answer),
      told: Object.fromEntries(told),
      nodeTold,
      approvalsTold,
    }
    return seal(
      place(number),
      worker,
      message,
      [...taken.outputs, ...taken.artifacts].map(({ bytes }) => bytes),
    )
  }

  /** Also kept, unless it is: a disk may be full for a while as a bucket may be away. */
  async function put(at: number, bytes: Uint8Array, signal: AbortSignal, isKept = false): Promise<void> {
    for (let againMs = putAgainMs; !signal.aborted; againMs = Math.min(2 * againMs, putAgainAtMostMs)) {
      try {
        if (!isKept) await home.keepSegment(at, bytes)
        isKept = true
        await objects.put(segmentKey(worker.id, at), bytes)
        underway = Infinity
        wasPut.resolve()
        wasPut = Promise.withResolvers()
        return
      } catch (error) {
        log.warn({ error: asMusterError(error).toValue() }, 'a segment could not be kept and put; trying again')
        await pause(againMs, signal)
      }
    }
  }

  return {
    toldOf,
    event({ run, fence }, event) {
      events.push({ at: ++last, event: { run, fence, event } })
      return untilRoom()
    },
    output({ run, fence }, { after, chunks, bytes }) {
      outputs.push({ at: ++last, output: { run, fence, after, chunks, bytes: bytes.byteLength, whole: false }, bytes })
      return untilRoom()
    },
    artifact({ run, fence }, piece, bytes) {
      artifacts.push({ at: ++last, artifact: { run, fence, ...piece, bytes: bytes.byteLength }, bytes })
      return untilRoom()
    },
    async nodeEvent(event) {
      nodeEvents.push({ at: ++last, event })
      come.ring()
      while (nodeEvents.length > mostNodeEvents) await wasPut.promise
    },
    get nodeTold() {
      return nodeTold
    },
    async approval(change) {
      const at = ++last
      approvals.push({ at, change })
      come.ring()
      while (approvals.length > mostApprovals) await wasPut.promise
      const inBucket = async () => {
        while (!isPut(at)) await wasPut.promise
      }
      return { inBucket: inBucket() }
    },
    get approvalsTold() {
      return approvalsTold
    },
    outputIsWhole({ run, fence }, chunks) {
      outputs.push({
        at: ++last,
        output: { run, fence, after: chunks, chunks: 0, bytes: 0, whole: true },
        bytes: new Uint8Array(),
      })
      come.ring()
    },
    answer(answer) {
      answers.push({ at: ++last, answer })
      come.ring()
    },
    drop(run) {
      events = events.filter(({ event }) => event.run !== run)
      outputs = outputs.filter(({ output }) => output.run !== run)
      artifacts = artifacts.filter(({ artifact }) => artifact.run !== run)
      told.delete(run)
    },
    async settled(signal) {
      const until = last
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      while (!signal.aborted && !isPut(until)) await Promise.race([wasPut.promise, aborted])
    },
    async send(signal) {
      // What was made before a kill may not have been put.
      if (home.newest) await put(home.newest.number, home.newest.bytes, signal, true)
      while (!signal.aborted) {
        if (oldest() === Infinity) await come.wait(2 ** 31 - 1, signal)
        if (waitingBytes() < mostBytes) await pause(gatherMs, signal)
        if (oldest() === Infinity || signal.aborted) continue
        const bytes = gather()
        await put(number, bytes, signal)
      }
    },
  }
}

/** The last segment of this worker's former life. Throws `bucket.version` when it is not of this version. */
function readFormer(place: Place, bytes: Uint8Array): SegmentMessage {
  const former = SegmentMessage.safeParse(unseal(place, bytes)?.header).data
  if (!former) throw failure('bucket.version')
  return former
}
