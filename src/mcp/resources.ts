// The fleet as resources: the overview, what happened lately, and a page for each environment that can be reached.

import { hasCode } from '../contract/errors.ts'
import { listHosts } from '../contract/host.ts'
import { pageCost } from './cost.ts'
import { type Listing, listingText } from './environments-list.ts'
import { newestPosition, newsAfter, waitingText } from './news.ts'

export const overviewUri = 'muster://environments'
export const eventsUri = 'muster://events'
export const environmentTemplate = 'muster://environments/{node_id}'

export interface ShownResource {
  readonly uri: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly mimeType: 'text/plain'
}

const mostListed = 200
/** How many events back. */
const lately = 100

export function environmentUri(name: string): string {
  return `${overviewUri}/${encodeURIComponent(name)}`
}

export async function listResources({ fleet }: Listing, signal: AbortSignal): Promise<ShownResource[]> {
  const { hosts } = await fleet.hub.call(listHosts, {}, { signal })
  const mimeType = 'text/plain' as const
  return [
    { uri: overviewUri, name: 'environments', title: 'Environments', description: 'The machines and what they offer', mimeType },
    {
      uri: eventsUri,
      name: 'events',
      title: 'Events',
      description: 'What happened lately, and what waits for a person',
      mimeType,
    },
    ...hosts
      .filter(({ status }) => status === 'online')
      .slice(0, mostListed)
      .map(({ name }) => ({ uri: environmentUri(name), name, title: name, description: `${name} and its commands`, mimeType })),
  ]
}

/** Undefined: there is no such resource. */
export async function readResource(listing: Listing, uri: string, signal: AbortSignal): Promise<string | undefined> {
  const { fleet } = listing
  if (uri === overviewUri) return await listingText(listing, {}, pageCost, Date.now(), signal)
  if (uri === eventsUri) {
    const newest = await newestPosition(fleet, signal)
    const { text } = await newsAfter(fleet, Math.max(0, newest - lately), signal)
    return [text, await waitingText(fleet, Date.now(), signal)].filter(Boolean).join('\n')
  }
  const name = environmentOf(uri)
  if (name === undefined) return undefined
  try {
    return await listingText(listing, { node_id: name }, pageCost, Date.now(), signal)
  } catch (error) {
    if (hasCode(error, 'host.unknown')) return undefined
    throw error
  }
}

function environmentOf(uri: string): string | undefined {
  if (!uri.startsWith(`${overviewUri}/`)) return undefined
  try {
    return decodeURIComponent(uri.slice(overviewUri.length + 1))
  } catch {
    // Not an encoding of anything.
    return undefined
  }
}
