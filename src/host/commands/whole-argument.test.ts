// What a caller gives becomes one argument, as it was given, or is refused: shown over many random declarations and values, and on real
// programs for a few.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { asMusterError, hasCode } from '../../contract/errors.ts'
import { parseDeclaration } from './declaration.ts'

const tries = 100_000
/** What shells, templates, option parsers and the system itself would make something else of. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(
      '-',
      ' ',
      '"',
      "'",
      '\\',
      '$',
      '`',
      '\n',
      '\0',
      ';',
      '{',
      '}',
      '*',
      '=',
      '\ud83e',
      '\udd8a',
      'é',
      'e\u0301',
      '\u202e',
    ),
    maxLength: 8,
  }),
  fc.constantFrom('--', '-rf', '--help', '{{a}}', '$(id)', '__proto__', '%s', '@file', '‐‐help', '−x'),
)
const position = fc.constantFrom('before', 'after', 'free')

function declarationWith(before: string[], after: string[], where: 'before' | 'after' | 'free'): string {
  const param = where === 'free' ? '{ param = "a", mayBeOption = true }' : '{ param = "a" }'
  const argv = ['"prog"', ...before.map(quoted), ...(where === 'after' ? ['"--"'] : []), param, ...after.map(quoted)]
  return [
    'name = "it"',
    'description = "d"',
    `argv = [${argv.join(', ')}]`,
    '[params]',
    'type = "object"',
    'required = ["a"]',
    '[params.properties.a]',
    'type = "string"',
  ].join('\n')
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return asMusterError(error).code
  }
}

const quoted = (plain: string) => JSON.stringify(plain)
const literals = fc.array(fc.constantFrom('-x', 'run', '{{a}}', 'a b'), { maxLength: 3 })

test(`${tries} values: each is one argument to the byte, or refused; none is an option unless that is permitted`, () => {
  const made = new Map<string, ReturnType<typeof parseDeclaration>>()
  let refused = 0
  fc.assert(
    fc.property(text, literals, literals, position, (value, before, after, where) => {
      const toml = declarationWith(before, after, where)
      const command = made.get(toml) ?? parseDeclaration(toml, 'box')
      made.set(toml, command)
      const expected = ['prog', ...before, ...(where === 'after' ? ['--'] : []), value, ...after]
      const mayPass = !value.includes('\0') && value.isWellFormed() && (where !== 'before' || !value.startsWith('-'))
      if (mayPass) {
        if (JSON.stringify(command.prepare({ a: value }).shown.argv) !== JSON.stringify(expected))
          throw new Error(`became something else`)
      } else {
        refused++
        if (codeOf(() => command.prepare({ a: value })) !== 'input.invalid') throw new Error('was not refused')
      }
    }),
    { numRuns: tries },
  )
  // It could fail: both outcomes were met often.
  expect(refused).toBeGreaterThan(tries / 50)
  expect(refused).toBeLessThan(tries / 2)
})

test('what is no text, number or truth value is no argument', () => {
  const command = parseDeclaration(declarationWith([], [], 'free'), 'box')
  for (const value of [['a', 'b'], { toString: 'x' }, null, undefined, 1n]) {
    const given = () => command.prepare({ a: value })
    expect(given).toThrow(expect.objectContaining({ code: 'input.invalid' }))
  }
  expect(command.prepare({ a: -5 }).shown.argv).toEqual(['prog', '-5'])
  expect(command.prepare({ a: false }).shown.argv).toEqual(['prog', 'false'])
})

test('a real program gets them as they were given', async () => {
  const command = parseDeclaration(
    declarationWith([], [], 'after').replace('"prog"', '"/bin/sh", "-c", "printf %s \\"$2\\"", "x"'),
    'box',
  )
  for (const value of ['-n', "it's", 'a\nb\n', '日本 🦊', '$(id)', ' ']) {
    const invocation = { signal: new AbortController().signal, progress: () => undefined, asker: null }
    expect(await command.prepare({ a: value }).run(invocation)).toMatchObject({ code: 0, stdout: value })
  }
})

test('the words of a refusal tell no value', () => {
  const command = parseDeclaration(declarationWith([], [], 'before'), 'box')
  try {
    command.prepare({ a: '-secret' })
    expect.unreachable()
  } catch (error) {
    expect(hasCode(error, 'input.invalid')).toBe(true)
    expect((error as Error).message).not.toContain('secret')
  }
})

test('a number that is not held to the digit is refused, since another would arrive', () => {
  const declared = declarationWith([], [], 'after').replace('type = "string"', 'type = "integer"')
  const { prepare } = parseDeclaration(declared, 'box')
  expect(prepare({ a: -42 }).shown.argv).toEqual(['prog', '--', '-42'])
  expect(codeOf(() => prepare(JSON.parse('{"a": 12345678901234567890}')))).toBe('input.invalid')
})
