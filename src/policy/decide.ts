// The one evaluator: of roles, of a hub's trust in a host, of a host's own policy, and of what its catalog says of a command.
//
// In a layer a rule that denies wins, then one that asks, then one that allows; without any it is denied. Of the layers the narrowest
// counts. So no order of rules or layers changes a decision, a denying rule only narrows, and an allowing one never overrides it.
// A rule whose condition cannot be evaluated counts as matching or as not, whichever is narrower.

import { isCommandName } from '../contract/names.ts'
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
  const narrow = decideBy(layers, question, 'narrow')
  const wide = decideBy(layers, question, 'wide')
  return { effect: narrow === wide ? narrow : null, never: wide === 'deny' }
}

function judge({ layer, of, rules, byNameOnly = false }: Layer, question: Question): LayerVerdict {
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

/** Conditions taken for what makes the decision as narrow, or as wide, as it can become. */
function decideBy(layers: Layers, question: Question, bound: 'narrow' | 'wide'): Effect {
  if (!isCommandName(question.command)) return 'deny'
  const matches = (effect: Effect): RuleMatch => ((effect === 'allow') === (bound === 'wide') ? 'yes' : 'no')
  const judged = layers.map(({ rules, byNameOnly = false }) => {
    const verdicts = rules.map((rule) => ({
      ...rule,
      ...match(rule, question, byNameOnly, () => ({ match: matches(rule.effect), why: '' })),
    }))
    return outcome(verdicts).effect
  })
  return judged.reduce((decided, next) => (isNarrower(next, decided) ? next : decided))
}

function isNarrower(one: Effect, other: Effect): boolean {
  return effects.indexOf(one) < effects.indexOf(other)
}
