// `muster events`: the hub's events, a line each, in their order; followed through breaks of the connection without a gap.

import { type FleetEvent, followFleetEvents } from '../contract/fleet-event.ts'
import { connect } from './hub-connection.ts'
import { untilInterrupted } from './leaving.ts'
import type { Action } from './perform.ts'
import { printable, printableJson } from './printable.ts'
import { resuming } from './resume.ts'

interface EventsOptions {
  readonly topic?: string[]
  readonly after?: number
  readonly last?: number
  readonly follow?: true
}

export const events: Action<EventsOptions, []> = async (terminal, options) => {
  const { topic: topics, follow = false, json, output } = options
  // Named otherwise below, where the number of the last one is `last`.
  const newest = options.last
  let last = options.after ?? 0
  const kept: FleetEvent[] = []
  using client = connect(terminal)
  const read = async (signal: AbortSignal, progress = () => {}) => {
    const input = { after: last, follow, ...(topics && { topics }), ...(newest !== undefined && { last: newest }) }
    for await (const event of client.hub.items(followFleetEvents, input, { signal })) {
      last = event.position
      progress()
      if (output !== undefined) kept.push(event)
      await terminal.out(`${json ? printableJson(event) : line(event)}\n`)
    }
  }
  await untilInterrupted(
    (signal) => (follow ? resuming(terminal, (progress) => read(signal, progress), signal) : read(signal)),
    () => undefined,
  )
  return { json: { last, events: kept }, shown: true }
}

/** Names and reasons come from hosts: what could steer a terminal is written out. */
function line({ position, at, topic, name, data }: FleetEvent): string {
  const details = Object.entries(data).map(
    ([what, value]) => `${what}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return printable([position, at, topic, name ?? '-', ...details].join(' '))
}
