// A million questions against random policies, beside an evaluator that was written another way: what the one lets through that the other
// does not is an escape, and there is none. Names are real ones, and what looks like them; conditions fail as well as hold.

import { expect, test } from 'vitest'
import { CommandPattern, type Effect, effects, type PolicyRule } from '../../src/contract/policy.ts'
import { decide } from '../../src/policy/decide.ts'
import type { Layer, Question } from '../../src/policy/question.ts'
import { seed, seededRandom, trials } from './trials.ts'

const names = [
  'exec',
  'shell',
  'runs',
  'procs',
  'file.read',
  'file.write',
  'file',
  'system.info',
  'fleet.enroll',
  'a.b.c',
  'a.b',
  'a',
  'constructor',
]
const hubs = ['a', 'b', 'c'].map((letter) => letter.repeat(32))
const conditions = [
  'params.n == 1',
  'params.a.b == "x"',
  'hub.startsWith("a")',
  'session == "s" || params.n > 3',
  'params.t',
  'params.list.exists(i, i == "x")',
]
/** Those that need no watching, which takes longer than they do. */
const quickConditions = conditions.slice(0, -1)
const patterns = [...names, 'file.*', 'a.*', 'a.b.*', 'fleet.*', '*']
/** What people, encoders and file systems take for the same. */
const spoil: readonly ((name: string) => string)[] = [
  (name) => name.toUpperCase(),
  (name) => name.charAt(0).toUpperCase() + name.slice(1),
  (name) => `${name}\0`,
  (name) => `${name}\n`,
  (name) => ` ${name}`,
  (name) => `${name} `,
  (name) => `${name}.`,
  (name) => `.${name}`,
  (name) => name.replace('.', '..'),
  (name) => `../${name}`,
  (name) => name.replace('.', '/'),
  (name) => name.replace('e', 'е'),
  (name) => name.replace('a', 'а'),
  (name) => name.replace('i', 'ı'),
  (name) => name.replace('s', 'ſ'),
  (name) => name.replace('.', '．'),
  (name) => `${name}\u200b`,
  (name) => `\u202e${name}`,
  (name) => name.normalize('NFD').replace('o', 'o\u0301'),
  (name) => [...name].map((letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0)).join(''),
  (name) => encodeURIComponent(`${name}%2e`),
  () => '__proto__',
  () => 'toString',
  () => 'hasOwnProperty',
  () => '*',
  () => 'file.*',
  () => '',
  () => 'x'.repeat(129),
  () => '\ud800',
]

const random = seededRandom()
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
const chance = (share: number) => random() < share

function anyText(): string {
  return Array.from({ length: 1 + Math.floor(random() * 8) }, () => String.fromCodePoint(Math.floor(random() * 0xd7ff))).join('')
}

function anyName(): string {
  if (chance(0.6)) return pick(names)
  return chance(0.9) ? pick(spoil)(pick(names)) : anyText()
}

function anyRule(): PolicyRule {
  return {
    effect: pick(effects),
    command: pick(patterns),
    ...(chance(0.2) && { to: pick(hubs) }),
    ...(chance(0.005) && { when: pick(chance(0.01) ? conditions : quickConditions) }),
  }
}

const layerNames = ['role', 'trust', 'pair', 'catalog'] as const

function anyLayers(): [Layer, ...Layer[]] {
  const made = layerNames.slice(0, 1 + Math.floor(random() * 3)).map((layer): Layer => {
    const rules = Array.from({ length: Math.floor(random() * 5) }, (_, n) => ({ ...anyRule(), from: `rule ${n + 1}` }))
    // Nothing would ever come through many layers otherwise.
    if (chance(0.5)) rules.push({ effect: 'allow', command: '*', from: 'the last' })
    return { layer, of: layer, rules, byNameOnly: chance(0.05) }
  })
  return made as [Layer, ...Layer[]]
}

const anyParams = (): Record<string, unknown> =>
  pick([
    {},
    { n: 1 },
    { n: '1' },
    { a: { b: 'x' } },
    { a: null, n: 4 },
    { t: true },
    { list: ['x'] },
    { list: 'x' },
    JSON.parse('{"__proto__": {"n": 1}}'),
  ])

function anyQuestion(): Question {
  const hub = pick([...hubs, 'local', ''])
  return {
    command: anyName(),
    hub,
    principal: { kind: 'hub', id: hub, role: 'hub' },
    ...(chance(0.5) && { params: anyParams() }),
    ...(chance(0.2) && { session: 's' }),
  }
}

// The other evaluator: sets and letters, no regular expressions, no CEL.

function isLegal(name: string): boolean {
  if (name.length === 0 || name.length > 128) return false
  return name.split('.').every((part) => {
    const letters = [...part]
    const isPlain = (letter: string) => (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9')
    return (
      letters.length > 0 &&
      isPlain(letters[0] as string) &&
      letters.every((letter) => isPlain(letter) || letter === '_' || letter === '-')
    )
  })
}

function covers(pattern: string, name: string): boolean {
  const wanted = pattern.split('.')
  const parts = name.split('.')
  if (wanted.at(-1) !== '*') return wanted.length === parts.length && wanted.every((part, n) => part === parts[n])
  const before = wanted.slice(0, -1)
  return (before.length === 0 || parts.length > before.length) && before.every((part, n) => part === parts[n])
}

/** True, false, or undefined where it cannot be evaluated. */
function holds(when: string, { hub, session = '', params = {} }: Question): boolean | undefined {
  const own = (of: unknown, key: string) =>
    typeof of === 'object' && of !== null && Object.hasOwn(of, key) ? (of as Record<string, unknown>)[key] : undefined
  const n = own(params, 'n')
  switch (when) {
    case conditions[0]:
      return n === undefined ? undefined : n === 1
    case conditions[1]:
      return own(own(params, 'a'), 'b') === undefined ? undefined : own(own(params, 'a'), 'b') === 'x'
    case conditions[2]:
      return hub.at(0) === 'a'
    case conditions[3]:
      return session === 's' ? true : typeof n === 'number' ? n > 3 : undefined
    case conditions[4]:
      return own(params, 't') === true ? true : undefined
    default: {
      const list = own(params, 'list')
      return Array.isArray(list) ? list.includes('x') : undefined
    }
  }
}

function naive(question: Question, layers: readonly Layer[]): Effect {
  if (!isLegal(question.command)) return 'deny'
  let narrowest = 2
  for (const { rules, byNameOnly } of layers) {
    const sure = new Set<Effect>()
    const unsure = new Set<Effect>()
    for (const { effect, command, to, when } of rules) {
      if (!covers(command, question.command) || (to ?? question.hub) !== question.hub) continue
      if (byNameOnly && effect === 'allow' && command.length === 1 && command !== question.command) continue
      const held = when === undefined ? true : holds(when, question)
      if (held) sure.add(effect)
      if (held === undefined) unsure.add(effect)
    }
    let level = sure.has('ask') || (sure.has('allow') && unsure.has('ask')) ? 1 : sure.has('allow') ? 2 : 0
    if (sure.has('deny') || unsure.has('deny')) level = 0
    narrowest = Math.min(narrowest, level)
  }
  return effects[narrowest] as Effect
}

const width = (effect: Effect) => effects.indexOf(effect)

test('no question gets through that the policy does not let through', () => {
  const decided: Record<Effect, number> = { allow: 0, ask: 0, deny: 0 }
  const differing: unknown[] = []
  const questions = trials(1_000_000, 100_000)
  let layers = anyLayers()
  for (let n = 0; n < questions; n++) {
    if (n % 4 === 0) layers = anyLayers()
    const question = anyQuestion()
    const { effect } = decide(question, layers)
    decided[effect]++
    if (effect !== naive(question, layers)) differing.push({ question, layers, effect, expected: naive(question, layers) })
    if (n % 10 === 0) mustKeepItsLaws(question, layers, effect)
  }
  console.log(
    `${questions} questions (seed ${seed}): ${JSON.stringify(decided)}, ${differing.length} differing, 0 escapes expected`,
  )
  expect(differing.slice(0, 3)).toEqual([])
  // Had nothing been allowed, nothing would have been tried.
  for (const count of Object.values(decided)) expect(count).toBeGreaterThan(questions / 100)
})

/** What must be so of any decision: one more rule, another order, each layer alone. */
function mustKeepItsLaws(question: Question, layers: readonly [Layer, ...Layer[]], effect: Effect): void {
  const at = Math.floor(random() * layers.length)
  const withRule = (rule: PolicyRule) =>
    layers.map((layer, n) =>
      n === at ? { ...layer, rules: [...layer.rules, { ...rule, from: 'one more' }] } : layer,
    ) as unknown as [Layer, ...Layer[]]
  const narrowed = decide(question, withRule({ ...anyRule(), effect: 'deny' })).effect
  if (width(narrowed) > width(effect))
    throw new Error(`a denying rule widened ${effect} to ${narrowed}: ${JSON.stringify({ question, layers })}`)
  const isDenied = layers.some(({ rules }) =>
    rules.some(
      (rule) =>
        rule.effect === 'deny' &&
        rule.when === undefined &&
        covers(rule.command, question.command) &&
        (rule.to ?? question.hub) === question.hub,
    ),
  )
  const widened = decide(question, withRule({ ...anyRule(), effect: 'allow' })).effect
  if (isDenied && widened !== 'deny')
    throw new Error(`an allowing rule overrode a denying one: ${JSON.stringify({ question, layers })}`)
  const turned = layers.map((layer) => ({ ...layer, rules: layer.rules.toReversed() })).toReversed() as unknown as [
    Layer,
    ...Layer[],
  ]
  if (decide(question, turned).effect !== effect)
    throw new Error(`another order changed a decision: ${JSON.stringify({ question, layers })}`)
  const alone = Math.min(...layers.map((layer) => width(decide(question, [layer]).effect)))
  if (alone !== width(effect)) throw new Error(`the narrowest layer did not count: ${JSON.stringify({ question, layers })}`)
}

test('no text is taken for a pattern that is none', () => {
  const texts = trials(100_000, 10_000)
  let taken = 0
  for (let n = 0; n < texts; n++) {
    const name = anyName()
    const text = chance(0.3) ? `${name}.*` : name
    const bare = text.endsWith('.*') ? text.slice(0, -2) : text
    const isOne = text === '*' || (text.length <= 128 && isLegal(bare))
    if (isOne) taken++
    if (CommandPattern.safeParse(text).success !== isOne) throw new Error(`${JSON.stringify(text)} as a pattern: ${!isOne}`)
  }
  expect(taken).toBeGreaterThan(0)
})
