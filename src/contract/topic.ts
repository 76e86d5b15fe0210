// Topics of events beside runs: FAMILY.NAME, where the family says who may hear of it. Beside the events, for help needs no more of them.

import type { Scope } from './operation.ts'

/** Who may hear of what. A family that is not here is nobody's. */
export const topicScopes = {
  /** The hub itself. */
  hub: 'read',
  /** Links to hosts. */
  host: 'read',
  /** What nodes tell of themselves. */
  node: 'read',
  /** Runs that ended. */
  run: 'read',
  approval: 'read',
  pairing: 'admin',
} as const satisfies Record<string, Scope>
export type TopicFamily = keyof typeof topicScopes

/** The family of a topic, if it is one that somebody may hear of. */
export function familyOf(topic: string): TopicFamily | undefined {
  const family = topic.split('.', 1)[0] ?? ''
  return Object.hasOwn(topicScopes, family) ? (family as TopicFamily) : undefined
}

/** What is wrong with what topics are asked for by: `host.connected` itself, `host.*` for its family, `*` for all that one may hear of. */
export function topicProblem(pattern: string): string | undefined {
  if (pattern === '*') return undefined
  if (!/^[a-z]+\.(?:\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)$/.test(pattern))
    return 'it is a topic such as host.connected, a family such as host.*, or *'
  return familyOf(pattern) ? undefined : `its family is none of ${Object.keys(topicScopes).join(', ')}`
}
