// The one evaluator: of roles, of a hub's trust in a host, of a host's own policy, and of what its catalog says of a command.
//
// In a layer a rule that denies wins, then one that asks, then one that allows; without any it is denied. Of the layers the narrowest
// counts. So no order of rules or layers changes a decision, a denying rule only narrows, and an allowing one never overrides it.
// A rule whose condition cannot be evaluated counts as matching or as not, whichever is narrower.

import { isCommandName } from '../contract/command-name.ts'
import { type Decision, type Effect, effects, type LayerVerdict, type RuleMatch, type RuleVerdict } from '../contract/policy.ts'
import { conditionHolds } from './condition.ts'
import { matchesPattern } from './pattern.ts'
import type { Layer, PlacedRule, Question } from './question.ts'

type Layers = readonly [Layer, ...Layer[]]

export function decide(question: Question, [first, ...rest]: Layers): Decision {
  return combine([judge(first, question), ...rest.map((layer) => judge(layer, question))])
}

/** The decision of layers that were judged, here or elsewhere. Where several are as narrow, the first of them decides. */
export function combine(trace: readonly [LayerVerdict, ...LayerVerdict[]]): Decision {
  const { layer, of, why, effect } = trace.reduce((decided, next) => (isNarrower(next.effect, decided.effect) ? next : decided))
  return { effect, by: { layer, of, why }, trace: [...trace] }
}

/**
 * What is decided whatever the parameters are, for lists: an effect, or null where it depends on them. `never`: no parameters would be
 * let through.
 */
export function exposureOf(question: Question, layers: Layers): { effect: Effect | null; never: boolean } {
  if (!isCommandName(question.command)) return { effect: 'deny', never: true }
  const bounds = layers.map((layer) => boundsOf(layer, question))
  const narrow = bounds.map((one) => one.narrow).reduce(narrower)
  const wide = bounds.map((one) => one.wide).reduce(narrower)
  return { effect: narrow === wide ? narrow : null, never: wide === 'deny' }
}

/** One layer alone. */
export function judge({ layer, of, rules, byNameOnly = false }: Layer, question: Question): LayerVerdict {
  if (!isCommandName(question.command)) return { layer, of, effect: 'deny', why: "that is no command's name", rules: [] }
  const verdicts = rules.map((rule) => ({ ...rule, ...match(rule, question, byNameOnly, conditionHolds) }))
  return { layer, of, ...outcome(verdicts), rules: verdicts }
}

type Matched = Pick<RuleVerdict, 'match' | 'why'>

function match(
  { effect, command, to, when }: PlacedRule,
  question: Question,
  byNameOnly: boolean,
  holds: (when: string, question: Question) => Matched,
): Matched {
  if (!matchesPattern(command, question.command)) return { match: 'no', why: 'it is about other commands' }
  if (to !== undefined && to !== question.hub) return { match: 'no', why: 'it is about another hub' }
  if (byNameOnly && effect === 'allow' && command === '*')
    return { match: 'no', why: 'the command is hidden until a rule names it' }
  if (when !== undefined) return holds(when, question)
  return { match: 'yes', why: 'it matches' }
}

const does = { deny: 'denies', ask: 'wants a person to be asked', allow: 'allows' } as const satisfies Record<Effect, string>

function outcome(verdicts: readonly RuleVerdict[]): { effect: Effect; why: string } {
  const first = (effect: Effect, ...matches: RuleMatch[]) =>
    verdicts.find((verdict) => verdict.effect === effect && matches.includes(verdict.match))
  const narrowing = first('deny', 'yes', 'unknown') ?? first('ask', 'yes')
  const allowing = first('allow', 'yes')
  // One that may have to ask narrows what is allowed, and allows nothing by itself.
  const deciding = narrowing ?? (allowing && (first('ask', 'unknown') ?? allowing))
  if (!deciding) return { effect: 'deny', why: 'nothing here allows it' }
  const { effect, from, match: matched } = deciding
  const doubt = matched === 'unknown' ? ', since its condition could not be evaluated' : ''
  return { effect, why: `${from} ${does[effect]}${doubt}` }
}

/** Between which effects a layer decides, whatever its conditions come to. A conditional `ask` can narrow or widen. */
function boundsOf({ rules, byNameOnly = false }: Layer, question: Question): { narrow: Effect; wide: Effect } {
  const taking = (conditional: Record<Effect, RuleMatch>) => {
    const verdicts = rules.map((rule) => ({
      ...rule,
      ...match(rule, question, byNameOnly, () => ({ match: conditional[rule.effect], why: '' })),
    }))
    return outcome(verdicts).effect
  }
  const asking = taking({ deny: 'no', ask: 'yes', allow: 'yes' })
  const unasked = taking({ deny: 'no', ask: 'no', allow: 'yes' })
  return { narrow: taking({ deny: 'yes', ask: 'unknown', allow: 'no' }), wide: isNarrower(asking, unasked) ? unasked : asking }
}

function narrower(one: Effect, other: Effect): Effect {
  return isNarrower(one, other) ? one : other
}

function isNarrower(one: Effect, other: Effect): boolean {
  return effects.indexOf(one) < effects.indexOf(other)
}
