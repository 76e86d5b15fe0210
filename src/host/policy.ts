// What this host lets a hub have begun here: what it was started with, and its policy file as it is at that moment. The front door asks
// before anything is started. Reading and ending what was started is always allowed, or a narrowed policy would leave work that nobody
// can stop.

import { failure, hasCode } from '../contract/errors.ts'
import { type Family, families } from '../contract/family.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Decision, Effect } from '../contract/policy.ts'
import { decide, exposureOf } from '../policy/decide.ts'
import { catalogLayer } from '../policy/layers.ts'
import type { Layer, PlacedRule, Question } from '../policy/question.ts'
import { openPolicyFile, rulesOf } from './policy-file.ts'

export interface HostPolicy {
  /** Patterns that are allowed from the start. `everything`: the asker is this account anyway. */
  readonly allow: 'everything' | readonly string[]
  /** node/policy.toml, whose rules come on top. */
  readonly file?: string
  /** What is allowed besides for as long as there is no such file. */
  readonly withoutFile?: 'everything'
}

/** What a catalog says of a command. */
export interface CommandNature {
  readonly sensitive: boolean
  /** Not had by who may have everything, until a rule names it. */
  readonly hidden?: boolean
}

/** What is asked for, and who asks, as the carrier has stamped it. */
export interface Asked {
  readonly command: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly session?: string | undefined
  readonly principal: Pick<Principal, 'kind' | 'id' | 'role'>
  /** Of the very command that will run; without it, of the one that bears the name now. */
  readonly nature?: CommandNature
}

export interface OpenPolicy {
  /** Rule by rule. Throws `policy.unreadable`. */
  decide(asked: Asked): Decision
  /** Whatever the parameters: an effect, or null where it depends on them. Throws `policy.unreadable`. */
  exposure(asked: Omit<Asked, 'params'>): { effect: Effect | null; never: boolean }
  /** For what is begun without waiting for anybody. Throws `policy.denied`, `policy.asks`, `policy.unreadable`. */
  requireAllowed(asked: Asked & { command: Family }): void
  /** The families that this one may use. */
  allowedFamilies(principal: Asked['principal']): Family[]
  /** The directories in which files may be read and written. Throws `policy.unreadable`. */
  fileRoots(): readonly string[]
}

const plain = (): CommandNature => ({ sensitive: false })

/** `natureOf`: what the host's catalog says of a command. */
export function openPolicy(given: HostPolicy, natureOf: (command: string) => CommandNature = plain): OpenPolicy {
  const file = given.file === undefined ? undefined : openPolicyFile(given.file)
  const fromStart = allowing(given.allow, given.allow === 'everything' ? 'being the same account' : '--allow')

  function rulesNow(): readonly PlacedRule[] {
    const written = file?.read()
    if (written) return [...fromStart, ...rulesOf(written)]
    return given.withoutFile ? [...fromStart, ...allowing(given.withoutFile, 'having no node/policy.toml')] : fromStart
  }

  function layersFor({ command, nature = natureOf(command) }: Pick<Asked, 'command' | 'nature'>): [Layer, Layer] {
    const { sensitive, hidden = false } = nature
    return [
      { layer: 'pair', of: "the host's own policy", rules: rulesNow(), byNameOnly: hidden },
      catalogLayer(command, sensitive),
    ]
  }

  const open: OpenPolicy = {
    decide: (asked) => decide(questionOf(asked), layersFor(asked)),
    exposure: (asked) => exposureOf(questionOf(asked), layersFor(asked)),
    requireAllowed(asked) {
      const { effect } = open.decide(asked)
      if (effect === 'deny') throw failure('policy.denied', { command: asked.command })
      if (effect === 'ask') throw failure('policy.asks', { command: asked.command })
    },
    allowedFamilies: (principal) => families.filter((command) => !isNever(() => open.exposure({ command, principal }))),
    fileRoots: () => file?.read()?.files.roots ?? [],
  }
  return open
}

/** The same trace without what is none of the asker's business: rules about other hubs, and whether there is what he may not have. */
export function traceFor(principal: Asked['principal'], { effect, by, trace }: Decision): Decision {
  const hub = hubOf(principal)
  if (hub === 'local') return { effect, by, trace }
  const told = trace.some(({ layer, effect: its }) => layer === 'pair' && its === 'deny')
    ? trace.filter(({ layer }) => layer !== 'catalog')
    : trace
  const about = (to: string | undefined) => to === undefined || to === hub
  return { effect, by, trace: told.map((layer) => ({ ...layer, rules: layer.rules.filter(({ to }) => about(to)) })) }
}

/** The key that the asking hub has proven; `local` is the hub in this process. */
function hubOf({ kind, id }: Asked['principal']): string {
  if (kind === 'hub') return id
  return kind === 'self' ? 'local' : ''
}

function questionOf({ command, params, session, principal }: Asked): Question {
  return { command, hub: hubOf(principal), principal, ...(params && { params }), ...(session !== undefined && { session }) }
}

function allowing(patterns: 'everything' | readonly string[], from: string): PlacedRule[] {
  return (patterns === 'everything' ? ['*'] : patterns).map((command) => ({ effect: 'allow', command, from }))
}

/** A policy that cannot be read lets nobody do anything, and says so to who tries. */
function isNever(exposure: () => { never: boolean }): boolean {
  try {
    return exposure().never
  } catch (error) {
    if (hasCode(error, 'policy.unreadable')) return true
    throw error
  }
}
