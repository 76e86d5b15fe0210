import { expect, test } from 'vitest'
import { parseDeclaration } from './declaration.ts'

const whole = `
name = "disk.usage"
description = "How much a directory holds."
argv = ["du", "-s", "--", { param = "path" }]
timeout = "5s"
sensitive = true

[env]
LANG = "C"
DEPTH = { param = "depth" }

[params]
type = "object"
required = ["path", "depth"]
additionalProperties = false

[params.properties.path]
type = "string"

[params.properties.depth]
type = "integer"
`

test('a declaration becomes an entry of the catalog, and an invocation shows all that it will run', () => {
  const command = parseDeclaration(whole, 'box')
  expect(command.entry).toMatchObject({
    name: 'disk.usage',
    description: 'How much a directory holds.',
    sensitive: true,
    source: 'declared',
    params: { required: ['path', 'depth'] },
  })
  const { shown } = command.prepare({ path: '/srv', depth: 2 })
  expect(shown).toMatchObject({
    argv: ['du', '-s', '--', '/srv'],
    env: { LANG: 'C', DEPTH: '2' },
    params: { path: '/srv', depth: 2 },
  })
  expect(Object.isFrozen(shown)).toBe(true)
  expect(Object.isFrozen(shown.argv)).toBe(true)
})

test.each([
  ['is no TOML', 'name = ', /^line 1, column \d+: not TOML$/],
  ['has a field that there is not', `${whole}`.replace('timeout', 'timout'), /timout/],
  ['has no such name', whole.replace('disk.usage', 'Disk Usage'), /^name: /],
  ['begins with a parameter', whole.replace('"du", "-s", "--", ', ''), /its first element is the program/],
  [
    'uses a parameter that may be missing',
    whole.replace('["path", "depth"]', '["depth"]'),
    /path is used, so it belongs to "required"/,
  ],
  ['uses a parameter that is a list', whole.replace('type = "string"', 'type = "array"'), /path is used, so its type/],
  ['uses a parameter that there is not', whole.replace('"path" }', '"toString" }'), /toString is used/],
  [
    'hands a shell a parameter as its program',
    whole.replace('"du", "-s", "--"', '"/bin/sh", "-c"'),
    /read the parameter path as a program/,
  ],
  [
    'hands it over in a bundle of options',
    whole.replace('"du", "-s", "--"', '"bash", "-lc"'),
    /read the parameter path as a program/,
  ],
  ...[
    '"sh", "-ce"',
    '"bash", "--rcfile", "x", "-c"',
    '"bash", "-c", "--"',
    '"bash", "-co", "pipefail"',
    '"bash", "-c", "-e"',
    '"env", "A=b", "/bin/sh", "-c"',
  ].map((argv): [string, string, RegExp] => [
    `hands it over behind ${argv}`,
    whole.replace('"du", "-s", "--"', argv),
    /read the parameter path as a program/,
  ]),
  ['has a timeout that is none', whole.replace('"5s"', '"5 seconds"'), /^timeout: /],
  ['has one that is longer than ten minutes', whole.replace('"5s"', '"11m"'), /^timeout: /],
  ['has a NUL byte', whole.replace('"-s"', '"-s\\u0000"'), /NUL/],
])('a declaration that %s is refused', (_what, text, problem) => {
  expect(() => parseDeclaration(text, 'box')).toThrow(problem)
})

test.each(['"sh", "-c", "du \\"$1\\"", "sh"', '"bash", "-o", "pipefail", "-c", "du", "sh"', '"grep", "-c", "sh"'])(
  'one may hand it to what a shell carries out: %s',
  (argv) => {
    expect(parseDeclaration(whole.replace('"du", "-s", "--"', argv), 'box').entry.name).toBe('disk.usage')
  },
)
