import { describe, expect, test } from 'vitest'
import type { PolicyRule } from '../contract/policy.ts'
import { combine, decide, exposureOf, judge } from './decide.ts'
import { catalogLayer, roleLayer, trustLayer } from './layers.ts'
import type { Layer, Question } from './question.ts'

const question = (command: string, more: Partial<Question> = {}): Question => ({
  command,
  hub: 'a'.repeat(32),
  principal: { kind: 'hub', id: 'a'.repeat(32), role: 'hub' },
  ...more,
})

const pair = (...rules: PolicyRule[]): Layer => ({
  layer: 'pair',
  of: "the host's own policy",
  rules: rules.map((rule, n) => ({ ...rule, from: `rule ${n + 1}` })),
})

const effectOf = (command: string, rules: PolicyRule[], more?: Partial<Question>) =>
  decide(question(command, more), [pair(...rules)]).effect

describe('in a layer', () => {
  test.each<[string, PolicyRule[], string]>([
    ['nothing allows nothing', [], 'deny'],
    ['a rule about another command allows nothing', [{ effect: 'allow', command: 'file.read' }], 'deny'],
    ['the name allows', [{ effect: 'allow', command: 'exec' }], 'allow'],
    ['everything allows', [{ effect: 'allow', command: '*' }], 'allow'],
    [
      'asking narrows allowing',
      [
        { effect: 'allow', command: '*' },
        { effect: 'ask', command: 'exec' },
      ],
      'ask',
    ],
    ['asking alone lets in, after asking', [{ effect: 'ask', command: 'exec' }], 'ask'],
    [
      'denying narrows all, wherever it stands',
      [
        { effect: 'deny', command: 'exec' },
        { effect: 'ask', command: '*' },
        { effect: 'allow', command: 'exec' },
      ],
      'deny',
    ],
    ['a rule about this hub counts', [{ effect: 'allow', command: 'exec', to: 'a'.repeat(32) }], 'allow'],
    ['a rule about another hub does not', [{ effect: 'allow', command: 'exec', to: 'b'.repeat(32) }], 'deny'],
  ])('%s', (_, rules, effect) => {
    expect(effectOf('exec', rules)).toBe(effect)
  })

  test('what begins alike ends at a dot', () => {
    const files: PolicyRule[] = [{ effect: 'allow', command: 'file.*' }]
    expect(['file.read', 'file.a.b', 'file', 'filex', 'files.read', 'file.'].map((name) => effectOf(name, files))).toEqual([
      'allow',
      'allow',
      'deny',
      'deny',
      'deny',
      'deny',
    ])
  })

  test('what looks like a name and is none is denied by everything', () => {
    const names = [
      'EXEC',
      'Exec',
      'exec ',
      ' exec',
      'exec\0',
      'exec.',
      '.exec',
      'a..b',
      'ехес',
      'exec\n',
      'ｅｘｅｃ',
      'exec\u200b',
      '__proto__',
      '*',
      'file.*',
      '',
    ]
    for (const name of names) expect(effectOf(name, [{ effect: 'allow', command: '*' }]), JSON.stringify(name)).toBe('deny')
  })

  test('names of what every object has are names like others', () => {
    for (const name of ['constructor', 'tostring', 'valueof', 'prototype'])
      expect(effectOf(name, [{ effect: 'allow', command: 'exec' }]), name).toBe('deny')
  })
})

describe('a condition', () => {
  const only = (when: string, effect: PolicyRule['effect'] = 'allow'): PolicyRule => ({ effect, command: 'file.read', when })
  const below = only('params.path.startsWith("/srv/")')

  test('is asked about what the command is given and who asks', () => {
    expect(effectOf('file.read', [below], { params: { path: '/srv/a' } })).toBe('allow')
    expect(effectOf('file.read', [below], { params: { path: '/etc/a' } })).toBe('deny')
    expect(
      effectOf('file.read', [only('session == "s1" && principal.kind == "hub" && command == "file.read"')], { session: 's1' }),
    ).toBe('allow')
    expect(effectOf('file.read', [only(`hub == "${'a'.repeat(32)}"`)])).toBe('allow')
    expect(effectOf('file.read', [only('params.size <= 10')], { params: { size: 10 } })).toBe('allow')
    expect(effectOf('file.read', [only('params.ratio <= 10')], { params: { ratio: 0.5 } })).toBe('allow')
  })

  test('that cannot be evaluated narrows', () => {
    expect(effectOf('file.read', [below])).toBe('deny')
    expect(effectOf('file.read', [below], { params: { path: 7 } })).toBe('deny')
    expect(effectOf('file.read', [{ effect: 'allow', command: '*' }, only('params.path == "/etc"', 'deny')])).toBe('deny')
    expect(effectOf('file.read', [{ effect: 'allow', command: '*' }, only('params.path == "/etc"', 'ask')])).toBe('ask')
    expect(effectOf('file.read', [only('params.path == "/etc"', 'ask')])).toBe('deny')
    expect(effectOf('file.read', [only('params.path')], { params: { path: 'true' } })).toBe('deny')
  })

  test('reaches nothing but what it is given', () => {
    for (const when of [
      'params.constructor != null',
      'params["__proto__"] != null',
      'has(params.toString)',
      'principal.constructor != null',
    ])
      expect(effectOf('file.read', [only(when)], { params: {} }), when).toBe('deny')
  })

  test('that does not end is ended, and narrows', () => {
    const endless = only('params.text.matches("^(a+)+$")')
    const started = performance.now()
    expect(effectOf('file.read', [endless], { params: { text: `${'a'.repeat(40)}!` } })).toBe('deny')
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  test('about what is nested deeper than anybody nests narrows too', () => {
    let deep: Record<string, unknown> = {}
    for (let n = 0; n < 100_000; n++) deep = { deep }
    expect(
      effectOf('file.read', [{ effect: 'allow', command: '*' }, only('params.deep == null', 'deny')], { params: deep }),
    ).toBe('deny')
  })
})

describe('over layers', () => {
  const all: PolicyRule = { effect: 'allow', command: '*' }
  const operator = roleLayer({ role: 'operator', scopes: new Set(['read', 'operate']) })
  const viewer = roleLayer({ role: 'viewer', scopes: new Set(['read']) })

  test.each<[string, [Layer, ...Layer[]], string, string]>([
    ['all allow', [operator, trustLayer(['*'], 'box'), pair(all), catalogLayer('exec', false)], 'allow', 'role'],
    ['a viewer has nothing begun', [viewer, trustLayer(['*'], 'box'), pair(all)], 'deny', 'role'],
    ['trust narrows', [operator, trustLayer(['runs'], 'box'), pair(all)], 'deny', 'trust'],
    ['the host narrows', [operator, trustLayer(['*'], 'box'), pair()], 'deny', 'pair'],
    ['being sensitive asks', [operator, trustLayer(['*'], 'box'), pair(all), catalogLayer('exec', true)], 'ask', 'catalog'],
    ['being sensitive allows nothing', [operator, pair(), catalogLayer('exec', true)], 'deny', 'pair'],
  ])('%s', (_, layers, effect, by) => {
    expect(decide(question('exec'), layers)).toMatchObject({ effect, by: { layer: by } })
  })

  test('the trace names every rule and why it matched or did not', () => {
    const { trace, by } = decide(question('exec'), [
      pair(all, { effect: 'deny', command: 'exec' }, { effect: 'allow', command: 'file.*' }),
    ])
    expect(by.why).toBe('rule 2 denies')
    expect(trace[0]?.rules.map(({ from, match, why }) => [from, match, why])).toEqual([
      ['rule 1', 'yes', 'it matches'],
      ['rule 2', 'yes', 'it matches'],
      ['rule 3', 'no', 'it is about other commands'],
    ])
  })

  test('layers that were judged elsewhere narrow alike', () => {
    const far = decide(question('exec'), [pair()])
    const near = decide(question('exec'), [operator])
    expect(combine([...near.trace, ...far.trace] as never).effect).toBe('deny')
  })
})

test('a hidden command is had by who names it, not by who names all', () => {
  const hidden = (...rules: PolicyRule[]) => decide(question('fleet.enroll'), [{ ...pair(...rules), byNameOnly: true }]).effect
  expect(hidden({ effect: 'allow', command: '*' })).toBe('deny')
  expect(hidden({ effect: 'allow', command: 'fleet.*' })).toBe('allow')
  expect(hidden({ effect: 'allow', command: '*' }, { effect: 'ask', command: 'fleet.enroll' })).toBe('ask')
})

describe('exposure, whatever the parameters', () => {
  const when = 'params.n == 1'
  test.each<[PolicyRule[], { effect: string | null; never: boolean }]>([
    [[{ effect: 'allow', command: 'exec' }], { effect: 'allow', never: false }],
    [[{ effect: 'allow', command: 'exec', when }], { effect: null, never: false }],
    [[{ effect: 'ask', command: 'exec', when }], { effect: null, never: false }],
    [
      [
        { effect: 'allow', command: '*' },
        { effect: 'ask', command: 'exec', when },
      ],
      { effect: null, never: false },
    ],
    [
      [
        { effect: 'allow', command: '*' },
        { effect: 'deny', command: 'exec', when },
      ],
      { effect: null, never: false },
    ],
    [
      [
        { effect: 'ask', command: '*' },
        { effect: 'allow', command: 'exec', when },
      ],
      { effect: 'ask', never: false },
    ],
    [
      [
        { effect: 'deny', command: '*' },
        { effect: 'allow', command: 'exec', when },
      ],
      { effect: 'deny', never: true },
    ],
    [[], { effect: 'deny', never: true }],
  ])('%j', (rules, exposure) => {
    expect(exposureOf(question('exec'), [pair(...rules)])).toEqual(exposure)
  })
})

test('parameters are read once for all conditions: large ones do not cost as often as there are rules', () => {
  let read = 0
  const params = new Proxy(
    { path: '/srv' },
    {
      ownKeys(target) {
        read++
        return Reflect.ownKeys(target)
      },
    },
  )
  const rules = ['/a', '/b', '/c'].map((path) => ({
    effect: 'deny' as const,
    command: 'exec',
    when: `params.path == "${path}"`,
    from: path,
  }))
  const principal = { kind: 'hub', id: 'a', role: 'hub' }
  expect(judge({ layer: 'pair', of: 'it', rules }, { command: 'exec', params, hub: 'a', principal }).rules).toHaveLength(3)
  expect(read).toBe(1)
})
