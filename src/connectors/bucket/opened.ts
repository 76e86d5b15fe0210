// What a hub has open of one bucket: its objects, what was taken out of it, and what is asked through it.

import type { ConnectorContext } from '../port.ts'
import type { Trust } from './claims.ts'
import type { BucketConfig } from './config.ts'
import { type Inbox, openInbox } from './inbox.ts'
import { joinKeyOf } from './join-token.ts'
import type { Objects } from './objects.ts'
import { openObjects } from './open-objects.ts'
import { openRequests, type Requests } from './requests.ts'

export interface Opened {
  readonly objects: Objects
  readonly inbox: Inbox
  readonly requests: Requests
  /** By which claims and introductions of workers are checked. */
  readonly trust: Trust
}

/** Opens it when it is first asked for; one that cannot be opened is tried again by whoever asks next. */
export function openerOf(config: BucketConfig, context: ConnectorContext, signal: AbortSignal): () => Promise<Opened> {
  const { host, identity } = context
  const trust = { host, joinKey: joinKeyOf(identity, host) }
  let opening: Promise<Opened> | undefined
  return () => {
    opening ??= (async () => {
      const objects = await openObjects(config)
      const inbox = await openInbox(context.dir, host)
      return { objects, inbox, requests: openRequests({ objects, identity, host, inbox, signal }), trust }
    })()
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }
}
