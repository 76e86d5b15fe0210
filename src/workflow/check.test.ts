import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MusterError } from '../contract/errors.ts'
import { checkWorkflow } from './check.ts'

function refusal(source: string): MusterError {
  try {
    checkWorkflow(source, 'f.yaml')
  } catch (thrown) {
    if (thrown instanceof MusterError) return thrown
    throw thrown
  }
  throw new Error(`was accepted:\n${source}`)
}

const step = (...lines: string[]) => ['name: x', 'steps:', '  - id: a', ...lines.map((line) => `    ${line}`)].join('\n')
const twoSteps = (...lines: string[]) => [step('run: [a]'), '  - id: b', ...lines.map((line) => `    ${line}`)].join('\n')
const fanOut = (...lines: string[]) =>
  [step('run: [a]', 'for_each: [1]'), '  - id: b', ...lines.map((line) => `    ${line}`)].join('\n')

// § marks the place that must be named.
const bad: [what: string, source: string, problem: string, fix: string][] = [
  ['an empty file', '§', 'the file cannot be empty', 'Begin the file with `name:`'],
  ['a list as file', '§- a', 'the file cannot be this list', 'Begin the file with `name:`'],
  ['no name', '§steps:\n  - id: a\n    run: [a]', '`name` is missing', 'Write `name:`'],
  ['a name that is a number', 'name: §7\nsteps: [{ id: a, run: [a] }]', '`name` cannot be 7', 'Write `name:`'],
  ['no steps', '§name: x', '`steps` is missing', '- id: NAME'],
  ['an empty list of steps', 'name: x\nsteps: §[]', '`steps` cannot be an empty list', '- id: NAME'],
  ['an unclosed quote', 'name: "x§', 'Missing closing "quote', 'Add the closing quote'],
  ['a tab', 'name: x\nsteps:\n§\t- id: a', 'Tabs are not allowed', 'Indent with spaces'],
  ['a colon in plain text', 'name: §a: b', 'Nested mappings', 'into quotes'],
  ['a list that is not closed', step('run: [a, b§'), 'Flow sequence', 'close its brackets'],
  ['a field twice', 'name: x\n§name: y', '"name" is written twice', 'Remove one'],
  ['two documents', 'name: x\n§---\nname: y', 'multiple documents', 'three dashes'],
  ['a tag', 'name: §!x y', 'Unresolved tag', 'Remove the tag'],
  ['a key that is no text', 'name: x\n§7: y', 'the name of a field is not text', 'plain word'],
  ['an unknown anchor', 'name: §*n', 'no anchor &n', 'Define the anchor first'],
  ['an anchor that contains itself', 'name: x\nsteps: &s §[*s]', 'an alias contains itself', '32 levels'],
  ['an unknown top field', 'name: x\n§step: []', 'there is no field "step"', 'Write `steps`.'],
  ['an unknown step field, near one', step('run: [a]', '§foreach: [1]'), 'there is no field "foreach"', 'Write `for_each`.'],
  ["another system's step field", step('run: [a]', '§if: true'), 'there is no field "if"', 'Write `when`.'],
  ['a strange step field', step('run: [a]', '§colour: red'), 'there is no field "colour"', 'known here are: id, name, run'],
  [
    'an unknown field of an input',
    'name: x\ninputs: { a: { §kind: string } }\nsteps: [{ id: a, run: [a] }]',
    'no field "kind"',
    'known here are: type',
  ],
  [
    'an unknown field of distribute',
    step('run: [a]', 'for_each: [1]', 'distribute: { §host: b }'),
    'no field "host"',
    'Write `hosts`.',
  ],
  ['__proto__ as a field', step('run: [a]', '§__proto__: { x: 1 }'), 'no field "__proto__"', 'known here are'],
  ['no id', 'name: x\nsteps:\n  - §run: [a]', '`id` is missing', 'Write `id:`'],
  ['a bad id', 'name: x\nsteps: [{ id: §A b, run: [a] }]', '`id` cannot be the text "A b"', 'a small letter'],
  [
    'the same id twice',
    'name: x\nsteps: [{ id: a, run: [a] }, { id: §a, run: [a] }]',
    'another step with the id "a"',
    'an id of its own',
  ],
  ['run as a line', step('run: §ls -l'), '`run` cannot be the text "ls -l"', '`shell:`'],
  ['an empty argument', step('run: [a, §null]'), 'entry 2 of `run` cannot be empty', 'the empty text as ""'],
  ['a list as argument', step('run: [a, §[b]]'), 'entry 2 of `run` cannot be this list', 'in quotes'],
  ['neither run nor shell', 'name: x\nsteps:\n  - §id: a\n    name: y', 'the step does nothing', 'Add `run:'],
  ['run and shell', step('run: [a]', '§shell: b'), 'either run or shell', 'make two steps'],
  ['a template in shell', step('shell: echo "§{{ inputs.a }}"'), 'shell takes no templates', '"$NAME"'],
  ['a template in a shell block', step('shell: |', '  ls', '  echo §{{ run.id }}'), 'shell takes no templates', '`env:'],
  ['a template in name', step('run: [a]', '§name: "{{ item }}"'), 'name takes no templates', 'plain text'],
  ['an unknown variable', step('run: [a, "{{ §input.x }}"]'), 'no variable "input"', 'Write `inputs`.'],
  ['an unknown input', step('run: [a, "{{ §inputs.x }}"]'), 'no input "x"', 'Declare it under `inputs:`'],
  [
    'an input, nearly',
    'name: x\ninputs: { roots: {} }\nsteps: [{ id: a, run: ["{{ §inputs.root }}"] }]',
    'no input "root"',
    '`inputs.roots`',
  ],
  ['inputs as a whole', step('run: [a, "{{ §inputs | json }}"]'), 'without the name of one', 'inputs.NAME'],
  ['an input by a computed name', step('run: [a, "{{ §inputs[run.id] }}"]'), 'without the name of one', 'inputs.NAME'],
  ['an unknown step', twoSteps('run: ["{{ §steps.c.stdout }}"]'), 'no step "c"', 'Write `steps.a`.'],
  [
    'a later step',
    `${step('run: ["{{ §steps.b.stdout }}"]')}\n  - id: b\n    run: [a]`,
    'step b runs later',
    'Move the step b above a',
  ],
  ["a step's own result", step('run: ["{{ §steps.a.stdout }}"]'), 'its own result', 'an earlier step'],
  ['a step without a field', twoSteps('run: ["{{ §steps.a }}"]'), 'without saying what', 'steps.a.stdout'],
  ['an unknown field of a step', twoSteps('run: ["{{ §steps.a.exitcode }}"]'), 'a step has no "exitcode"', '`steps.a.exit_code`'],
  ['the output of a fan-out', fanOut('run: ["{{ §steps.a.stdout }}"]'), 'no single stdout', 'steps.a.results'],
  ['item outside of for_each', step('run: ["{{ §item }}"]'), 'no item here', 'add `for_each`'],
  ['item in for_each itself', step('for_each: "{{ §item }}"', 'run: [a]'), 'no item here', 'add `for_each`'],
  ['an unknown loop field', step('for_each: [1]', 'run: ["{{ §loop.idx }}"]'), 'loop has no such field', 'loop.index'],
  ['an unknown filter', step('run: ["{{ run.id §| upcas }}"]'), 'no filter "upcas"', 'Write `upcase`.'],
  ['a filter that is not in it', step('run: ["{{ run.id §| sample }}"]'), 'no filter "sample"', 'The filters are'],
  ['two values in one', step('run: ["{{§ run.id run.id }}"]'), 'is not a value', 'Write one value'],
  ['a comparison in a template', step('run: ["{{§ run.id == 1 }}"]'), 'is not a value', '`when`'],
  ['an empty expression', step('run: ["§{{ }}"]'), 'the template cannot be read', 'For "{{" itself'],
  ['an expression left open', step('run: ["a §{{ run.id"]'), 'the template cannot be read', 'For "{{" itself'],
  ['a Go template', step('run: [docker, ps, --format, "{{§.Names}}"]'), 'is not a value', 'Write one value'],
  ['a tag', step('run: ["§{% if x %}"]'), 'tags are not part', '`when`'],
  ['include', step('cwd: "§{% include \'/etc/passwd\' %}"', 'run: [a]'), 'tags are not part', '`for_each`'],
  [
    'a template error in a folded text',
    step('run:', '  - >-', '    one', '    two {{ §inputs.x }}'),
    'no input "x"',
    'Declare it',
  ],
  [
    'the second of two equal expressions',
    step('run: ["{{ run.id }} {{ §inputs.x }}", "{{ inputs.x }}"]'),
    'no input "x"',
    'Declare it',
  ],
  ['a template error in env', step('run: [a]', 'env:', '  A: "{{ §item }}"'), 'no item here', 'add `for_each`'],
  ['a bad variable name', step('run: [a]', 'env: { §1A: x }'), '"1A" cannot be a name', 'letters, digits'],
  ['an empty variable', step('run: [a]', 'env: { A: §null }'), '`A` cannot be empty', 'the empty text as ""'],
  ['when in braces', step('run: [a]', 'when: "§{{ inputs.x }}"'), 'the CEL expression is wrong', 'without braces'],
  ['when with an unknown variable', step('run: [a]', 'when: §foo == 1'), 'no variable "foo"', 'Use `inputs`'],
  ['when with an unknown input', step('run: [a]', 'when: true && §inputs.x == 1'), 'no input "x"', 'Declare it'],
  ['when with item', step('for_each: [1]', 'run: [a]', 'when: §item == 1'), 'before its items', '`for_each` is given'],
  [
    'when with a later step',
    `${step('run: [a]', 'when: §steps.b.exit_code == 0')}\n  - id: b\n    run: [a]`,
    'runs later',
    'Move the step b',
  ],
  [
    'when that subtracts',
    `${step('run: [a]').replace('id: a', 'id: a-b')}\n  - id: c\n    run: [a]\n    when: §steps.a-b.exit_code == 0`,
    'no step "a"',
    'steps["a-b"]',
  ],
  [
    'when with wrong types',
    'name: x\ninputs: { n: { type: integer, default: 1 } }\nsteps: [{ id: a, run: [a], when: §inputs.n == "1" }]',
    'no such overload: int == string',
    'Use `inputs`',
  ],
  ['when that is a text', twoSteps('run: [a]', 'when: §steps.a.stdout'), 'this is a string', 'Compare it'],
  ['when cut short', step('run: [a]', 'when: 1 §+'), 'Unexpected token: EOF', 'Use `inputs`'],
  ['distribute without for_each', step('run: [a]', '§distribute: { hosts: [b] }'), 'there is none', 'Add `for_each`'],
  [
    'distribute without hosts',
    step('run: [a]', 'for_each: [1]', 'distribute: §{}'),
    '`hosts` is missing',
    '1 to 1000 host names',
  ],
  [
    'host and distribute',
    step('run: [a]', 'for_each: [1]', 'distribute: { hosts: [b] }', '§host: c'),
    'either host or distribute',
    'Remove one',
  ],
  ['max_parallel without for_each', step('run: [a]', '§max_parallel: 2'), 'there is none', 'Add `for_each`'],
  ['max_parallel of zero', step('run: [a]', 'for_each: [1]', 'max_parallel: §0'), '`max_parallel` cannot be 0', 'from 1 to 1000'],
  ['a timeout in words', step('run: [a]', 'timeout: §soon'), '`timeout` cannot be the text "soon"', '"90s", "10m"'],
  ['a timeout too long', step('run: [a]', 'timeout: §31d'), 'between a millisecond and 30 days', '"10m"'],
  [
    'a default timeout of nothing',
    'name: x\ndefaults: { timeout: §0 }\nsteps: [{ id: a, run: [a] }]',
    '`timeout` cannot be 0',
    '"10m"',
  ],
  ['continue_on_error as a word', step('run: [a]', 'continue_on_error: §yes'), 'cannot be the text "yes"', 'true or false'],
  [
    "an input's strange type",
    'name: x\ninputs: { a: { type: §number } }\nsteps: [{ id: a, run: [a] }]',
    '`type` cannot be the text "number"',
    'integer',
  ],
  ['an input without fields', 'name: x\ninputs:\n  §a:\nsteps: [{ id: a, run: [a] }]', '`a` cannot be empty', '`root: {}`'],
  [
    'a default of the wrong type',
    'name: x\ninputs: { a: { type: integer, default: §b } }\nsteps: [{ id: a, run: [a] }]',
    'not a whole number',
    "the input's type",
  ],
  [
    'a default outside of enum',
    'name: x\ninputs: { a: { enum: [b, c], default: §d } }\nsteps: [{ id: a, run: [a] }]',
    'is "d", which is not one of: b, c',
    'type',
  ],
  [
    'an enum of the wrong type',
    'name: x\ninputs: { a: { type: integer, enum: [1, §b] } }\nsteps: [{ id: a, run: [a] }]',
    'not a whole number',
    'own type',
  ],
  [
    'required with a default',
    'name: x\ninputs: { a: { default: b, required: §true } }\nsteps: [{ id: a, run: [a] }]',
    'never missing',
    'Remove `required`',
  ],
  [
    "an input's name with a dash",
    'name: x\ninputs: { §a-b: {} }\nsteps: [{ id: a, run: [a] }]',
    '"a-b" cannot be a name',
    'letters, digits',
  ],
]

describe('a bad workflow file', () => {
  it.each(bad)('%s', (_what, marked, problem, fix) => {
    const before = marked.slice(0, marked.indexOf('§')).split('\n')
    const error = refusal(marked.replace('§', ''))
    expect(error.code).toBe('workflow.invalid')
    expect(error.message).toContain(problem)
    expect(error.message).toMatch(`f.yaml:${before.length}:${(before.at(-1)?.length ?? 0) + 1}: `)
    expect(error.hint).toContain(fix)
  })

  it('reports the first of several problems in the order of the file', () => {
    const source = `${step('run: ls', 'timeout: soon')}\nnme: y`
    expect(refusal(source).message).toContain('f.yaml:4:10: `run`')
    expect(refusal(`nmae: y\n${source}`).message).toContain('f.yaml:1:1: there is no field "nmae"')
    expect(refusal(`${step('timeout: soon')}\n  - { id: b, run: ["{{ inputs.a }}"] }`).message).toContain(
      'f.yaml:4:14: `timeout`',
    )
    expect(refusal('name: x\nsteps:\n  - { id: b, run: ["{{ inputs.a }}"] }\n  - { id: c, run: 7 }').message).toContain(
      'f.yaml:3:24: there is no input',
    )
  })

  it('is refused without unfolding it when its aliases multiply', () => {
    let bomb = 'a0: &a0 [x]\n'
    for (let i = 1; i < 30; i++)
      bomb += `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`
    expect(refusal(bomb).message).toMatch(/more than 200000 values|nested too deeply/)
  })

  it('is refused quickly when it is nested, repeated or large beyond reason', () => {
    expect(refusal(`name: ${'['.repeat(100_000)}`).message).toContain('nested too deeply')
    expect(refusal('a:\n'.repeat(50_000)).message).toContain('"a" is written twice')
    expect(refusal(Array.from({ length: 40_000 }, (_, i) => `k${i}: v`).join('\n')).code).toBe('workflow.invalid')
    expect(refusal(`name: ${'x'.repeat(600_000)}`).message).toContain('larger than 512 KiB')
  })

  it('never makes anything but workflow.invalid, whatever the text', () => {
    const words = fc.constantFrom(
      'name',
      'steps',
      'id',
      'run',
      ':',
      '-',
      ' ',
      '\n',
      '[',
      ']',
      '{',
      '}',
      '{{',
      '}}',
      '"',
      "'",
      '&a',
      '*a',
      '|',
      '>',
      'inputs',
      'when',
      'for_each',
      '#',
      '\t',
      '{%',
      '%}',
      'null',
      '\u0000',
      '\u{1F4A3}',
      '? ',
      '!!map',
      '<<',
    )
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
        try {
          checkWorkflow(parts.join(''), 'f.yaml')
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'workflow.invalid' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a good workflow file', () => {
  it('keeps arguments as they are written', () => {
    const plan = checkWorkflow(step('run: [a, 1.10, 0x10, true, "", ~x, "}}"]'), 'f.yaml')
    const [only] = plan.steps
    expect(only?.action.kind === 'run' && only.action.argv.map((part) => part.text({}))).toEqual([
      'a',
      '1.10',
      '0x10',
      'true',
      '',
      '~x',
      '}}',
    ])
  })

  it('takes defaults for its steps, and durations in all their forms', () => {
    const plan = checkWorkflow(
      'name: x\ndefaults: { timeout: 10m, continue_on_error: true }\nsteps:\n' +
        '  - { id: a, run: [a] }\n  - { id: b, run: [a], timeout: 1.5, continue_on_error: false }\n  - { id: c, run: [a], timeout: 2h }',
      'f.yaml',
    )
    expect(plan.steps.map((one) => [one.timeoutMs, one.continueOnError])).toEqual([
      [600_000, true],
      [1500, false],
      [7_200_000, true],
    ])
  })

  it('keeps artifacts of its steps, with templates', () => {
    const plan = checkWorkflow(
      'name: x\ninputs: { n: {} }\nsteps:\n  - { id: a, for_each: [1], run: [a], artifacts: ["out/{{ item }}.{tar,log}", "{{ inputs.n }}", 7] }',
      'f.yaml',
    )
    const globs = plan.steps[0]?.artifacts?.map((one) => one.text({ item: 'x', inputs: { n: '*' } }))
    expect(globs).toEqual(['out/x.{tar,log}', '*', '7'])
  })

  it('may use anchors', () => {
    const plan = checkWorkflow(
      'name: x\nsteps:\n  - { id: a, run: [a], env: &e { A: b } }\n  - { id: b, run: [a], env: *e }',
      'f.yaml',
    )
    expect(plan.steps[1]?.env.map(([name, value]) => [name, value.text({})])).toEqual([['A', 'b']])
  })

  it('with a thousand steps is checked, and takes no minute', { timeout: 60_000 }, () => {
    const steps = Array.from(
      { length: 1000 },
      (_, i) => `  - { id: s${i}, run: [echo, "{{ inputs.a }}"], when: 'inputs.a == "b"' }`,
    )
    expect(checkWorkflow(`name: x\ninputs: { a: { default: b } }\nsteps:\n${steps.join('\n')}`, 'f.yaml').steps).toHaveLength(
      1000,
    )
  })
})
