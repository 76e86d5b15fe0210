// Policy: the language in which it is said who may have what begun on a host, and what a decision looks like.
// Host and hub decide by it (src/policy); people write it in node/policy.toml and in `[trust]` of a host's record.

import { z } from 'zod'
import { commandPattern, longestCommandName } from './command-name.ts'
import { CommandName } from './names.ts'
import { operation } from './operation.ts'

/** The narrowest first. `ask`: a person at the hub is asked each time. */
export const effects = ['deny', 'ask', 'allow'] as const
export const Effect = z.enum(effects)
export type Effect = z.output<typeof Effect>

/** No globs, no regular expressions: what a pattern matches is seen at a glance. */
export const CommandPattern = z
  .string()
  .max(longestCommandName)
  .regex(
    commandPattern,
    'a pattern is the name of a command (`exec`), the beginning of names with `.*` after it (`file.*`), or `*` for all',
  )
  .meta({ description: 'A command: by its name, by the beginning of its name (`file.*`), or `*` for all.' })

export const HubKey = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a hub's key is given by its fingerprint: 32 hexadecimal digits")
  .meta({ description: "The fingerprint of a hub's key." })

export const PolicyRule = z.strictObject({
  effect: Effect,
  command: CommandPattern,
  to: HubKey.optional().meta({ description: 'The hub that the rule is about; without it, every hub.' }),
  when: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: 'A condition in CEL over `command`, `params`, `hub`, `session` and `principal`.' }),
})
export type PolicyRule = z.output<typeof PolicyRule>

/** Whether a rule is about a question. `unknown`: its condition could not be evaluated, so that it counts as whatever narrows. */
export const RuleMatch = z.enum(['yes', 'no', 'unknown'])
export type RuleMatch = z.output<typeof RuleMatch>

export const RuleVerdict = PolicyRule.extend({
  from: z.string().meta({ description: 'Where the rule stands, such as "node/policy.toml, rule 2".' }),
  match: RuleMatch,
  why: z.string(),
})
export type RuleVerdict = z.output<typeof RuleVerdict>

/** What may be said of a command, from the asker's role to the command itself. The narrowest of them counts. */
const policyLayers = ['role', 'trust', 'pair', 'catalog'] as const

export const LayerVerdict = z.object({
  layer: z.enum(policyLayers),
  of: z.string().meta({ description: 'Whose rules these are.' }),
  effect: Effect,
  why: z.string(),
  rules: z.array(RuleVerdict),
})
export type LayerVerdict = z.output<typeof LayerVerdict>

export const Decision = z.object({
  effect: Effect,
  by: z.object({ layer: z.enum(policyLayers), of: z.string(), why: z.string() }).meta({ description: 'What decided.' }),
  trace: z.array(LayerVerdict).meta({ description: 'Every layer and every rule of it, whether it matched, and why.' }),
})
export type Decision = z.output<typeof Decision>

export const testPolicy = operation({
  kind: 'call',
  name: 'policy.test',
  summary: 'What would be decided if you asked this host for this command, rule by rule. Nothing is begun.',
  input: z.strictObject({
    command: CommandName,
    params: z.record(z.string(), z.unknown()).default({}),
    session: z.string().min(1).max(128).optional(),
  }),
  output: Decision,
  errors: ['policy.unreadable'],
  scope: 'read',
  deferrable: true,
  http: 'POST /policy/test',
})
