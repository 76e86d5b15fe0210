import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import { parseCondition } from './condition.ts'
import { filterNames, isTemplate, parseTemplate, treeValue } from './template.ts'

const scope = {
  inputs: { s: 'abc', n: 3, l: ['a', { b: 1 }], none: null, yes: true },
  steps: { a: { stdout: 'out', results: [{ item: 1 }] } },
  run: { id: 'W' },
  item: { name: 'x', list: [1, 2] },
}

function render(source: string): unknown {
  const template = parseTemplate(source)
  if (!isTemplate(template)) throw new Error(template.problem)
  return template.value(scope)
}

function evaluate(source: string): boolean {
  const condition = parseCondition(source)
  if (!('holds' in condition)) throw new Error(condition.problem)
  return condition.holds(scope)
}

// What every object inherits, and what leads from there to code.
const inherited = [
  'constructor',
  '__proto__',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  '__lookupGetter__',
  'isPrototypeOf',
  'caller',
  'arguments',
  'then',
  'call',
  'apply',
  'bind',
]

describe('a template', () => {
  it.each([
    ['{{ inputs.s }}', 'abc'],
    ['{{inputs.n}}', 3],
    ['a {{ inputs.n }}', 'a 3'],
    ['{{ inputs.l }}', ['a', { b: 1 }]],
    [' {{ inputs.l }}', ' ["a",{"b":1}]'],
    ['{{ inputs.none }}!', '!'],
    ['{{ inputs.yes }}', true],
    ['{{ inputs.l[1].b }}', 1],
    ['{{ inputs["s"] }}', 'abc'],
    ['{{ item.list | join: "-" }}', '1-2'],
    ['{{ inputs.none | default: "d" }}', 'd'],
    ['{{ (1..3) }}', [1, 2, 3]],
    ['{{ "{{" }}.Names}}', '{{.Names}}'],
    ['{{ "a|b" | upcase }}', 'A|B'],
    ['{{- inputs.s -}}', 'abc'],
    ['{{ inputs.n | plus: 1 | times: 2 }}', 8],
    ['no braces', 'no braces'],
    ['{{ "{%" }}', '{%'],
    ['{{ inputs.l | map: "b" | compact }}', [1]],
    ['{{ "x" | append: inputs.s, 1 }}', 'throws'],
  ])('%s gives %j', (source, expected) => {
    if (expected === 'throws') expect(() => render(source)).toThrow('append expect 2 arguments')
    else expect(render(source)).toEqual(expected)
  })

  it('fills trees', () => {
    const template = parseTemplate('{{ inputs.n }}')
    if (!isTemplate(template)) throw new Error(template.problem)
    expect(treeValue([{ a: template, b: [template, 7, null] }], scope)).toEqual([{ a: 3, b: [3, 7, null] }])
  })

  it('throws for what is not there', () => {
    expect(() => render('{{ inputs.nope }}')).toThrow('undefined variable: inputs.nope')
    expect(() => render('{{ item.name.first.second }}')).toThrow('undefined variable')
  })

  it('has no filter that gives another result tomorrow', () => {
    expect(filterNames).not.toContain('sample')
    expect(filterNames.filter((name) => name.startsWith('date'))).toEqual([])
    expect(parseTemplate('{{ "now" | date: "%s" }}')).toMatchObject({ problem: expect.stringContaining('no filter "date"') })
  })

  it('never reaches a prototype, by any path or filter', () => {
    const root = fc.constantFrom(
      'inputs',
      'inputs.s',
      'inputs.n',
      'inputs.l',
      'inputs.yes',
      'steps',
      'steps.a',
      'item',
      'item.list',
      'run.id',
      '"lit"',
    )
    const hop = fc.constantFrom(...inherited)
    const access = fc.oneof(
      hop.map((name) => `.${name}`),
      hop.map((name) => `["${name}"]`),
    )
    const property = fc
      .oneof(hop, fc.constant('b'))
      .map((name) =>
        fc.constantFrom(`map: "${name}"`, `where: "${name}"`, `sum: "${name}"`, `sort: "${name}"`, `json`, 'first', 'size'),
      )
      .chain((one) => one)
    fc.assert(
      fc.property(root, fc.array(access, { maxLength: 3 }), fc.array(property, { maxLength: 2 }), (start, hops, filters) => {
        let result: unknown
        try {
          result = render(`{{ ${[start + hops.join(''), ...filters].join(' | ')} }}`)
        } catch {
          // Refused: what is wanted of most.
          return
        }
        expect(holdsFunction(result)).toBe(false)
        expect(JSON.stringify(result) ?? '').not.toMatch(/function|native code/)
      }),
      { numRuns: 2000 },
    )
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

function holdsFunction(value: unknown): boolean {
  if (typeof value === 'function') return true
  return (
    typeof value === 'object' &&
    value !== null &&
    (value === Object.prototype || value === Array.prototype || Object.values(value).some(holdsFunction))
  )
}

describe('a condition', () => {
  it.each([
    ['inputs.n == 3', true],
    ['inputs.n + 1 > 3', true],
    ['inputs.s == "abc" && !(inputs.n in [1, 2])', true],
    ['inputs.none == null', true],
    ['inputs.l.exists(one, one == "a")', true],
    ['has(inputs.zz)', false],
    ['steps["a"].results[0].item == 1', true],
    ['run.id.startsWith("V")', false],
    ['size(inputs.l) == 2', true],
    ['inputs.yes', true],
  ])('%s is %s', (source, expected) => {
    expect(evaluate(source)).toBe(expected)
  })

  it('that is neither true nor false is an error', () => {
    expect(() => evaluate('inputs.n')).toThrow('neither true nor false')
  })

  it('never reaches a prototype', () => {
    const hop = fc.constantFrom(...inherited)
    const access = fc.oneof(
      hop.map((name) => `.${name}`),
      hop.map((name) => `["${name}"]`),
      hop.map((name) => `.${name}()`),
    )
    fc.assert(
      fc.property(
        fc.constantFrom('inputs', 'inputs.s', 'inputs.n', 'inputs.l', 'steps.a', 'run.id', '"x"', '[1]'),
        fc.array(access, { minLength: 1, maxLength: 3 }),
        (start, hops) => {
          const path = start + hops.join('')
          expect(() => evaluate(`${path} == ${path}`)).toThrow()
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('tells what it refers to', () => {
    const condition = parseCondition('inputs.l.exists(one, one == steps["a-b"].results[0].item) && run.id != inputs["s"]')
    expect('references' in condition && condition.references.map(({ root, keys }) => [root, ...keys].join('.')).sort()).toEqual([
      'inputs.l',
      'inputs.s',
      'run.id',
      'steps.a-b.results.0.item',
    ])
  })
})

describe('work within its time', () => {
  it('answers, throws, or is stopped', () => {
    expect(withinTime(1000, () => 7)).toBe(7)
    expect(() =>
      withinTime(1000, () => {
        throw new Error('mine')
      }),
    ).toThrow('mine')
    expect(
      withinTime(20, () => {
        for (;;);
      }),
    ).toBe(timedOut)
    expect(
      withinTime(1000, () =>
        withinTime(10, () => {
          for (;;);
        }),
      ),
    ).toBe(timedOut)
  })
})
