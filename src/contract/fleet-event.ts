// What happens beside runs: at the hub, to its links, on its hosts' nodes. A node tells of its own family of topics alone, and its hub
// stamps which host that is from the connection.

import { z } from 'zod'
import { Flag, listOf, Time } from './names.ts'
import { operation } from './operation.ts'
import { topicProblem } from './topic.ts'

const longestTopic = 64
/** As JSON, in characters: an event says that something happened, and where to look. */
const mostNodeData = 8 * 1024

const Topic = z
  .string()
  .max(longestTopic)
  .regex(/^[a-z]+(?:\.[a-z][a-z0-9_]*)+$/, 'a topic is words with "." between them, such as host.connected')
const Data = z.record(z.string(), z.unknown()).meta({ description: 'What there is to say of it, by name.' })

const Topics = listOf(z.string().max(longestTopic)).superRefine((patterns, context) => {
  for (const pattern of patterns) {
    const message = topicProblem(pattern)
    if (message !== undefined) context.addIssue({ code: 'custom', message: `"${pattern}" is none: ${message}` })
  }
})

const Position = z.int().positive().meta({ description: 'Its number: from 1 upwards, never used twice.' })
const From = {
  after: z.coerce.number().int().nonnegative().default(0).meta({ description: 'Only those after this number.' }),
  follow: Flag.default(false),
}

export const FleetEvent = z.object({
  position: Position,
  at: Time,
  topic: Topic,
  host: z.string().nullable().meta({ description: 'The id of the host that it is about.' }),
  name: z.string().nullable().meta({ description: 'What that host was called then.' }),
  data: Data,
})
export type FleetEvent = z.output<typeof FleetEvent>

export const followFleetEvents = operation({
  kind: 'items',
  name: 'fleet.events',
  numberedBy: 'position',
  summary:
    'What happens at the hub, to its links and on its nodes, after a number; with `follow`, also what is to come. A subscriber hears of ' +
    'the topics that its scopes allow. Where events after that number are no longer kept, `hub.gap` says which.',
  input: z.strictObject({
    ...From,
    topics: Topics.optional().meta({
      description: 'Only these: `host.connected`, `host.*`; without it, all that the caller may hear of.',
    }),
    last: z.coerce.number().int().min(1).max(1000).optional().meta({
      description: 'Without `after`: only the newest so many of those that are kept, whatever their topics.',
    }),
  }),
  output: FleetEvent,
  errors: ['auth.forbidden', 'events.ahead'],
  scope: 'read',
  deferrable: false,
  http: 'GET /events',
})

/** What a node tells of itself. It can speak for its own family alone. */
export const NodeEvent = z.object({
  position: Position,
  at: Time,
  topic: Topic.startsWith('node.', 'a node tells of topics of the family node alone'),
  data: Data.refine((data) => JSON.stringify(data).length <= mostNodeData, `it has more than ${mostNodeData} characters`),
})
export type NodeEvent = z.output<typeof NodeEvent>

export const followNodeEvents = operation({
  kind: 'items',
  name: 'host.events',
  numberedBy: 'position',
  summary:
    "What happens on the host's node beside its runs, after a number; with `follow`, also what is to come. Where events after that number " +
    'are no longer kept, `node.gap` says which.',
  input: z.strictObject(From),
  output: NodeEvent,
  errors: ['events.ahead'],
  scope: 'read',
  deferrable: false,
  http: 'GET /events',
})
