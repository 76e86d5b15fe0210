// A decision as people read it: what is decided and by what, then every layer with its rules, and why each matched or did not.

import { exitCode } from '../../contract/errors.ts'
import type { Decision, Effect, LayerVerdict, RuleVerdict } from '../../contract/policy.ts'
import type { Outcome } from '../perform.ts'
import { printable } from '../printable.ts'

const words = { allow: 'allowed', ask: 'a person is asked', deny: 'denied' } as const satisfies Record<Effect, string>
const marks = { yes: '✓', no: '·', unknown: '?' } as const satisfies Record<RuleVerdict['match'], string>

/** The exit code tells a denied command from the others. */
export function decisionOutcome(decision: Decision, command: string, where: string): Outcome {
  const { effect, by, trace } = decision
  const lines = [`${command} on ${where}: ${words[effect]}, by ${by.of}: ${by.why}.`, '', ...trace.flatMap(showLayer)]
  return {
    json: decision,
    text: lines.map(printable).join('\n').trimEnd(),
    ...(effect === 'deny' && { exit: exitCode.refused }),
  }
}

function showLayer({ of, effect, rules, why }: LayerVerdict): string[] {
  return [`${effect.padEnd(5)}  ${of}: ${why}`, ...rules.map(showRule)]
}

function showRule({ effect, command, to, when, from, match, why }: RuleVerdict): string {
  const about = [command, ...(to === undefined ? [] : [`to ${to}`]), ...(when === undefined ? [] : [`when ${when}`])].join(' ')
  return `       ${marks[match]} ${effect} ${about} (${from}): ${why}`
}
