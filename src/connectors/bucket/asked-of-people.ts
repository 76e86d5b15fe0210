// What an inbox keeps of the questions that its workers' hosts put to people: of each the newest change, numbered anew, since each host
// numbers for itself; and which worker asks, for an answer is of use to that one alone.

import { type ApprovalChange, forgetApproval, resolveApproval } from '../../contract/approval.ts'
import { bare } from './by-id.ts'
import type { InboxState } from './inbox-state.ts'

/** What is asked of a host in a person's name: it is for the worker whose host has asked, and counts though nobody waits to hear that. */
export const answersOfPeople: ReadonlySet<string> = new Set([resolveApproval.name, forgetApproval.name])

/** A host has twenty waiting at most. */
const mostKept = 100
const mostCharacters = 8 * 1024 * 1024
/** Longer than any question waits: whoever reads has read it by then. */
const keptMs = 3600_000
const mostAskers = 1_000

type Asked = Pick<InboxState, 'approvals' | 'nextApproval' | 'askedBy'>

/** With what a worker tells in a segment. Nothing of the record itself is changed. */
export function withApprovals(
  { approvals, nextApproval, askedBy }: Asked,
  worker: string,
  told: readonly ApprovalChange[],
  nowMs: number,
): Partial<Asked> {
  if (told.length === 0) return {}
  const fresh = told.map((change, index) => ({ ...change, position: nextApproval + index, heardAtMs: nowMs }))
  const isSaidAnew = new Set(fresh.map(({ approval }) => approval.id))
  const others = approvals.filter(({ approval, heardAtMs }) => !isSaidAnew.has(approval.id) && nowMs - heardAtMs < keptMs)
  // Who has asked first: an id that another worker uses is not its to answer.
  const askers = [...fresh.map(({ approval }): [string, string] => [approval.id, worker]), ...Object.entries(askedBy)]
  return {
    approvals: withinBounds([...others, ...newestOfEach(fresh)]),
    nextApproval: nextApproval + fresh.length,
    askedBy: bare(Object.fromEntries(askers.slice(0, mostAskers))),
  }
}

/** What changed after a number. A question may be answered for as long as its host said when it was heard, less what has passed since. */
export function* askedOf({ approvals }: Pick<Asked, 'approvals'>, after: number, nowMs: number): Generator<ApprovalChange> {
  for (const { heardAtMs, remainingMs, ...change } of approvals) {
    if (change.position > after) yield { ...change, remainingMs: Math.max(0, remainingMs - Math.max(0, nowMs - heardAtMs)) }
  }
}

/** The newest. An honest host comes to neither bound. */
function withinBounds<T extends ApprovalChange>(changes: readonly T[]): T[] {
  let characters = 0
  const kept = changes.toReversed().filter(({ approval }) => {
    characters += JSON.stringify(approval).length
    return characters <= mostCharacters
  })
  return kept.slice(0, mostKept).toReversed()
}

function newestOfEach<T extends ApprovalChange>(changes: readonly T[]): T[] {
  return changes.filter(({ approval }, at) => changes.findLastIndex((one) => one.approval.id === approval.id) === at)
}
