// The hub's events: published by its parts, numbered and kept in its store, read by subscribers who resume after the last number they saw.
// Each hears of the topics that his scopes allow, and of no family that nobody has named.

import type { Logger } from 'pino'
import { asMusterError, failure } from '../contract/errors.ts'
import type { FleetEvent, followFleetEvents } from '../contract/fleet-event.ts'
import type { Principal } from '../contract/implementation.ts'
import type { ParsedOf } from '../contract/operation.ts'
import { familyOf, topicScopes } from '../contract/topic.ts'
import { makeBell } from '../store/bell.ts'
import { appendFleetEvents, type NewFleetEvent } from '../store/fleet-events.ts'
import { followKeptEvents } from '../store/follow-fleet-events.ts'
import type { Store } from '../store/store.ts'
import { untilStored } from '../store/until-stored.ts'

export type { NewFleetEvent } from '../store/fleet-events.ts'

/** As many as a hub keeps; whoever comes later is told of the gap. */
export const keptEvents = 50_000
/** As many as wait for a store that cannot be written; of those beyond, only how many there were is told. */
const mostWaiting = 10_000
const mostInAWrite = 500

export interface FleetEvents extends AsyncDisposable {
  /** Never waits and never fails. They are told in this order, once they are durable. */
  publish(event: NewFleetEvent): void
  /** Wakes subscribers for events that somebody else has written into the store, as part of a write of his own. */
  ring(): void
  /** Throws `auth.forbidden` for a family that the subscriber may not hear of, `events.ahead`. */
  follow(
    input: ParsedOf<typeof followFleetEvents>,
    subscriber: Principal,
    signal: AbortSignal,
  ): AsyncGenerator<FleetEvent, void, undefined>
}

export function openFleetEvents({ store, log }: { readonly store: Store; readonly log: Logger }): FleetEvents {
  const bell = makeBell()
  const closing = new AbortController()
  const waiting: NewFleetEvent[] = []
  let lost = 0
  let writing: Promise<void> | undefined

  function publish(event: NewFleetEvent): void {
    if (waiting.length < mostWaiting) waiting.push({ at: new Date().toISOString(), ...event })
    else lost++
    writeSoon()
  }

  function writeSoon(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined
      // Published in the moment in between.
      if (waiting.length > 0 && !closing.signal.aborted) writeSoon()
    })
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const taken = waiting.slice(0, mostInAWrite)
      const lostBefore = taken.length === waiting.length ? lost : 0
      const gone: NewFleetEvent[] = lostBefore > 0 ? [{ topic: 'hub.events_lost', data: { events: lostBefore } }] : []
      try {
        await untilStored(() => appendFleetEvents(store, [...taken, ...gone], keptEvents), closing.signal)
      } catch (error) {
        log.error(
          { events: taken.length, error: asMusterError(error).toValue() },
          'events could not be kept: nobody hears of them',
        )
      }
      waiting.splice(0, taken.length)
      lost -= lostBefore
      bell.ring()
    }
  }

  async function* follow(
    { topics = ['*'], ...from }: ParsedOf<typeof followFleetEvents>,
    subscriber: Principal,
    signal: AbortSignal,
  ): AsyncGenerator<FleetEvent, void, undefined> {
    for (const pattern of topics) if (pattern !== '*') requireTopic(pattern, subscriber)
    for await (const event of followKeptEvents({ store, bell, gap: 'hub.gap' }, from, signal)) {
      if (event.topic === 'hub.gap' || (mayHear(event.topic, subscriber) && topics.some((one) => matches(one, event.topic))))
        yield event
    }
  }

  return {
    publish,
    ring: bell.ring,
    follow,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await writing
    },
  }
}

function mayHear(topic: string, { scopes }: Principal): boolean {
  const family = familyOf(topic)
  return family !== undefined && scopes.has(topicScopes[family])
}

function requireTopic(pattern: string, subscriber: Principal): void {
  if (mayHear(pattern, subscriber)) return
  const family = familyOf(pattern)
  throw failure('auth.forbidden', {
    operation: `Hearing of ${pattern}`,
    scope: family ? topicScopes[family] : 'of nobody',
    role: subscriber.role,
  })
}

function matches(pattern: string, topic: string): boolean {
  return pattern === '*' || pattern === topic || (pattern.endsWith('.*') && topic.startsWith(pattern.slice(0, -1)))
}
