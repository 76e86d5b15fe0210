// What `npm pack` makes can be installed anywhere and works there: from its build, without this checkout.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../../scripts/files.ts'
import { hasProgram } from '../../scripts/system-parts.ts'
import { pages } from './pages.ts'

const run = promisify(execFile)

let folder: string
let packed: string[]

/** Runs the installed `muster` the way a shell would, on the Node that runs this test, with a home of its own. */
async function muster(...args: string[]): Promise<string> {
  const { MUSTER_HUB, MUSTER_TOKEN, ...rest } = process.env
  const env = { ...rest, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), MUSTER_HOME: join(folder, 'home') }
  return (await run(join(folder, 'prefix/bin/muster'), args, { cwd: folder, env })).stdout
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-pack-'))
  const { stdout } = await run('npm', ['pack', '--json', '--foreground-scripts=false', `--pack-destination=${folder}`], {
    cwd: root,
  })
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path)
  await run('npm', ['install', '--global', `--prefix=${join(folder, 'prefix')}`, '--no-audit', join(folder, filename)], {
    cwd: folder,
  })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the package holds the program, its documents and nothing else', () => {
  const expected = [
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'package.json',
    'bin/muster.js',
    'dist/cli/main.js',
    'schemas/workflow.schema.json',
  ]
  expect(packed).toEqual(expect.arrayContaining(expected))
  expect(packed.filter((path) => /^(src|test|scripts|node_modules|\.)|\.test\./.test(path))).toEqual([])
})

test('the installed command tells its version and its commands', async () => {
  const { version } = (await import('../../package.json', { with: { type: 'json' } })).default
  expect(await muster('--version')).toBe(`${version}\n`)
  expect(await muster('--help')).toMatch(/exec.*workflow/s)
})

for (const [shell, ...justRead] of [
  ['bash', '-n'],
  ['zsh', '-n'],
  ['fish', '--no-execute'],
] as const) {
  test.skipIf(!hasProgram(shell))(`${shell} accepts its completion script`, async () => {
    const file = join(folder, `completion.${shell}`)
    await writeFile(file, await muster('completion', shell))
    expect(await run(shell, [...justRead, file])).toEqual({ stdout: '', stderr: '' })
  })
}

test.skipIf(!hasProgram('zsh'))('zsh completes with it, also where its start file has not switched completion on', async () => {
  const file = join(folder, 'sourced.zsh')
  await writeFile(file, await muster('completion', 'zsh'))
  const told = await run('zsh', ['-f', '-c', `source ${file}; print $_comps[muster]`])
  expect(told).toEqual({ stdout: '_muster\n', stderr: '' })
})

test('the installed command runs work on the machine that it is on', async () => {
  await muster('hub', 'start', '--bind', '127.0.0.1:0')
  try {
    expect(await muster('exec', 'local', '--', 'echo', 'from the package')).toBe('from the package\n')
    expect(await readdir(join(folder, 'home'))).toEqual(expect.arrayContaining(['host', 'hub']))
  } finally {
    await muster('hub', 'stop')
  }
})

describe('a new user follows the page of a connector, line by line', () => {
  // There is a page for each, and what it says is tried.
  test('no page is left out', async () => {
    expect(Object.keys(pages).toSorted()).toEqual((await readdir(join(root, 'docs/connectors'))).toSorted())
  })

  for (const [page, followPage] of Object.entries(pages)) {
    const wantsSshd = page === 'ssh.md'
    test.skipIf(wantsSshd && !hasProgram('sshd'))(page, () => followPage(join(folder, 'prefix/bin')))
  }
})
