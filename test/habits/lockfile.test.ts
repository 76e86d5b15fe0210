// Holds our lockfiles to what `npm ci` accepts on every platform, and package.json to exact versions.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Lockfile, lockfiles, missingPackages } from '../../scripts/complete-lockfile.ts'
import { root } from '../../scripts/files.ts'

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(join(root, file), 'utf8'))
}

test.each(lockfiles)('%s holds the packages of every platform (else: node scripts/complete-lockfile.ts)', (file) => {
  expect(missingPackages(readJson(file) as Lockfile).map(({ path }) => path)).toEqual([])
})

test.each(lockfiles)('%s names no registry: each machine asks its own', (file) => {
  const { packages } = readJson(file) as { packages: Record<string, { resolved?: string }> }
  expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
})

test('a platform that the lockfile leaves out is found', () => {
  const lockfile = {
    packages: {
      'node_modules/a': { optionalDependencies: { 'a-linux-x64': '1.0.0', 'a-darwin-x64': '1.0.0' } },
      'node_modules/a-linux-x64': {},
    },
  }
  expect(missingPackages(lockfile).map(({ path }) => path)).toEqual(['node_modules/a-darwin-x64'])
})

test.each(['package.json', 'bench/package.json'])('every dependency of %s has an exact version', (file) => {
  const { dependencies, devDependencies } = readJson(file) as Record<string, Record<string, string>>
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  )
  expect(loose).toEqual([])
})
