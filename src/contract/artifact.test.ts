import { join, normalize, sep } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Artifact, ArtifactGlob, ArtifactName } from './artifact.ts'
import { RunSpec } from './run.ts'

test('a name that is let in stays below any directory that it is joined to', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', '/', '\\', 'a', '...', '..a', '\0', '\n', '~', 'C:'), fc.string())
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.constantFrom('/', '//', '/../', ''), (parts, between) => {
      const name = parts.join(between)
      if (!ArtifactName.safeParse(name).success) return
      expect(join('/jail', name).startsWith(`/jail${sep}`)).toBe(true)
      expect(normalize(name)).toBe(name)
    }),
    { numRuns: 5000 },
  )
  for (const name of [
    '',
    '/',
    '/etc/passwd',
    '..',
    '../a',
    'a/../b',
    'a/..',
    './a',
    'a//b',
    'a/',
    'a\nb',
    'a\0b',
    'a'.repeat(1025),
  ])
    expect(ArtifactName.safeParse(name).success, name).toBe(false)
  for (const name of ['a', 'out/a.tar', '..a', 'a..b', '-rf', ' ', '日本/語', '\\'])
    expect(ArtifactName.safeParse(name).success, name).toBe(true)
})

test('a glob that leads out of the working directory is refused in words', () => {
  const problem = (glob: string) => ArtifactGlob.safeParse(glob).error?.issues[0]?.message
  for (const glob of ['/etc/*', '{/etc,a}/*', '{a,/etc}/*']) expect(problem(glob), glob).toMatch(/^it is an absolute path/)
  for (const glob of ['..', '../a', 'a/..', 'a/../b', '{a,..}/b', '{..,a}', '@(..|a)/b'])
    expect(problem(glob), glob).toBe('it leads out of the working directory by ".."')
  expect(problem('a\0b')).toBe('it holds a control character')
  expect(problem('a\\*')).toMatch(/^it holds a backslash/)
  expect(problem('')).toBe('it is empty')
  for (const glob of ['out/*.tar', '**/*.{log,txt}', './a', 'a{/b,/c}', '..a', '[*]']) expect(problem(glob), glob).toBeUndefined()
})

test('a glob whose braces stand for very many is refused', () => {
  const problem = (glob: string) => ArtifactGlob.safeParse(glob).error?.issues[0]?.message
  const many = (n: number) => Array.from({ length: n }, (_, i) => i).join()
  for (const glob of ['{1..100000000}', 'a/{a..z}', '{a,{1..9}}']) expect(problem(glob), glob).toMatch(/^it has a range/)
  for (const glob of [`{${many(99)}}{${many(99)}}`, `{${many(265)}}`]) expect(problem(glob), glob).toMatch(/more than 256/)
  for (const glob of [`{${many(200)}}`, `*.{${many(15)}}/{${many(15)}}`, 'a..b', 'a,b'])
    expect(problem(glob), glob).toBeUndefined()
})

test('what a host says of an artifact cannot name a file of the hub', () => {
  const told = { name: 'a', bytes: 1, sha256: 'a'.repeat(64), mtime: '2026-01-01T00:00:00.000Z', mode: 0o644 }
  expect(Artifact.safeParse(told).success).toBe(true)
  for (const sha256 of ['../a', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}\n`, '/etc/passwd'])
    expect(Artifact.safeParse({ ...told, sha256 }).success).toBe(false)
  for (const mode of [-1, 0o4755, 1.5]) expect(Artifact.safeParse({ ...told, mode }).success).toBe(false)
  for (const bytes of [-1, 2 ** 50]) expect(Artifact.safeParse({ ...told, bytes }).success).toBe(false)
})

test('a spec without artifacts stays what it was', () => {
  expect(RunSpec.parse({ kind: 'command', argv: ['x'] })).not.toHaveProperty('artifacts')
  expect(RunSpec.safeParse({ kind: 'command', argv: ['x'], artifacts: Array(65).fill('a') }).success).toBe(false)
  expect(RunSpec.safeParse({ kind: 'workflow', file: 'f', source: '', artifacts: ['a'] }).success).toBe(false)
})
