// What changed after a number: hosts that came or went, runs that ended, approvals; and what waits for a person now.

import { type FleetApproval, listApprovals } from '../contract/approval.ts'
import { type FleetEvent, followFleetEvents } from '../contract/fleet-event.ts'
import type { ToolFleet } from './fleet.ts'
import { ago, oneLine, plural } from './words.ts'

/** The newest event's number, as far as this asker may hear of it: what a model asks for changes after. */
export async function newestPosition({ hub }: ToolFleet, signal: AbortSignal): Promise<number> {
  for (const last of looks) {
    let newest = 0
    for await (const { position } of hub.items(followFleetEvents, { last }, { signal })) newest = position
    if (newest > 0) return newest
  }
  return 0
}

/** Events that this asker may not hear of stand between, now and then many. */
const looks = [20, 1_000]
const mostTold = 60
const mostRead = 5_000

export interface News {
  readonly text: string
  readonly position: number
}

/** Throws `events.ahead` for a number that this hub has not given out. */
export async function newsAfter({ hub }: ToolFleet, after: number, signal: AbortSignal): Promise<News> {
  const events: FleetEvent[] = []
  let position = after
  let more = 0
  for await (const event of hub.items(followFleetEvents, { after }, { signal })) {
    position = event.position
    if (told(event) === undefined) continue
    events.push(event)
    if (events.length > mostTold) {
      events.shift()
      more++
    }
    if (events.length + more >= mostRead) break
  }
  const lines = events.map((event) => `${event.at.slice(11, 19)} ${told(event)}`)
  const head =
    lines.length === 0
      ? `Nothing happened after ${after}.`
      : `After ${after}${more > 0 ? `, without the first ${more}` : ''}, in UTC of ${events.at(-1)?.at.slice(0, 10)}:`
  return { text: [head, ...lines].join('\n'), position }
}

/** What waits for a person. */
export async function waitingText({ hub }: ToolFleet, nowMs: number, signal: AbortSignal): Promise<string> {
  const { approvals } = await hub.call(listApprovals, { limit: mostWaiting + 1 }, { signal })
  if (approvals.length === 0) return ''
  const shown = approvals.slice(0, mostWaiting).map((approval) => waitingLine(approval, nowMs))
  const more = approvals.length > mostWaiting ? [`and more: \`muster approval list\``] : []
  return ['Waiting for a person, who approves with `muster approval approve ID`:', ...shown, ...more].join('\n')
}

const mostWaiting = 5
const longestName = 80

function waitingLine({ id, host, asked, createdAt }: FleetApproval, nowMs: number): string {
  return `${id}: ${oneLine(asked.command, longestName)} on ${host}, asked ${ago(nowMs - Date.parse(createdAt))} ago`
}

/** One event in words; undefined for what is none of a model's business. */
function told({ topic, name, data }: FleetEvent): string | undefined {
  const host = name ?? 'a host'
  switch (topic) {
    case 'host.connected':
      return `${host} can be reached`
    case 'host.disconnected':
      return `${host} cannot be reached: ${oneLine(String(data.reason ?? 'no reason is known'), 120)}`
    case 'run.ended':
      return typeof data.more === 'number'
        ? `${plural(data.more, 'more run')} ended`
        : `run ${word(data.run)} on ${host} ended: ${word(data.state)}`
    case 'approval.requested':
      return `${word(data.approval)}: a person is asked about ${word(data.command)} on ${host}`
    case 'approval.resolved':
      return `${word(data.approval)}: ${word(data.command)} on ${host} is ${word(data.state)}`
    case 'node.draining':
      return `${host} is being shut down`
    case 'hub.started':
      return 'the hub was started'
    case 'hub.gap':
      return `events ${word(data.after)} to ${word(data.through)} are no longer kept: environments_list without "since" shows how it is now`
    default:
      return undefined
  }
}

/** What a host has called something. */
function word(value: unknown): string {
  return oneLine(String(value), longestName)
}
