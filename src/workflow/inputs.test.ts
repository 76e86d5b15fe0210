import { describe, expect, it } from 'vitest'
import { MusterError } from '../contract/errors.ts'
import { checkWorkflow } from './check.ts'
import { resolveInputs } from './inputs.ts'

const plan = checkWorkflow(
  `
name: x
inputs:
  who: { required: true, description: a name }
  count: { type: integer, default: 2 }
  fast: { type: boolean }
  hosts: { type: list, default: [local] }
  mode: { enum: [quick, full], default: quick }
  some: { type: list, enum: [a, b] }
steps: [{ id: a, run: [a] }]
`,
  'f.yaml',
)

describe('inputs', () => {
  it('have their defaults; one without is null', () => {
    expect(resolveInputs(plan, { who: 'me' })).toEqual({
      who: 'me',
      count: 2,
      fast: null,
      hosts: ['local'],
      mode: 'quick',
      some: null,
    })
  })

  it.each([
    ['count', '12', 12],
    ['count', -3, -3],
    ['fast', 'true', true],
    ['fast', false, false],
    ['hosts', 'a, b', ['a', 'b']],
    ['hosts', 'a\nb c\n', ['a', 'b c']],
    ['hosts', '["a,b", 1]', ['a,b', 1]],
    ['hosts', '', []],
    ['hosts', ['x'], ['x']],
    ['mode', 'full', 'full'],
    ['some', 'b,a', ['b', 'a']],
    ['who', '7', '7'],
  ])('%s given as %j is %j', (name, given, value) => {
    expect(resolveInputs(plan, { who: 'me', [name]: given })[name]).toEqual(value)
  })

  it.each([
    [{}, 'The input who is required (a name).', '--input who=VALUE'],
    [{ who: 'me', coutn: 1 }, 'The input coutn is not known', '--input count=VALUE'],
    [{ who: 'me', zebra: 1 }, 'The input zebra is not known', 'It takes: who, count'],
    [{ who: 'me', count: 'many' }, 'The input count is not a whole number', '--input count=3'],
    [{ who: 'me', count: 1.5 }, 'The input count is not a whole number', '--input count=3'],
    [{ who: 'me', count: '99999999999999999999' }, 'The input count is not a whole number', '--input count=3'],
    [{ who: 'me', fast: 'yes' }, 'The input fast is not true or false', '--input fast=true'],
    [{ who: 'me', mode: 'slow' }, 'The input mode is "slow", which is not one of: quick, full', '--input mode=TEXT'],
    [{ who: 'me', some: 'a,c' }, 'The input some is "c"', '--input some=A,B'],
    [{ who: 7 }, 'The input who is not a text', '--input who=TEXT'],
    [{ who: 'x'.repeat(300_000) }, 'The input who is larger than 256 KiB', 'into a file'],
    [{ who: 'me', ['__proto__']: 1 }, 'The input __proto__ is not known', 'It takes'],
    [{ who: 'me', constructor: 1 }, 'The input constructor is not known', 'It takes'],
  ])('%j are refused', (given, message, hint) => {
    try {
      resolveInputs(plan, given)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(MusterError)
      expect((thrown as MusterError).message).toContain(message)
      expect((thrown as MusterError).hint).toContain(hint)
      return
    }
    throw new Error('was accepted')
  })
})
