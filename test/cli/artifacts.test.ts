// The files that a run keeps, at the command line: asked for by exec, listed, read, saved, and what is said when that cannot be.

import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../resources/eventually.ts'
import { type TestHome, testHome } from './muster.ts'

let home: TestHome
let cwd: string
let run: string
beforeAll(async () => {
  home = await testHome()
  cwd = join(home.dir, 'work')
  await mkdir(cwd)
  expect((await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])).code).toBe(0)
  const line = 'mkdir -p out; printf one > out/a; printf "%2000s" > out/b; ln -s /etc/passwd out/link; exit 3'
  const ended = await home.muster([
    'exec',
    'local',
    '-n',
    '--cwd',
    cwd,
    '--artifact',
    'out/*',
    '--artifact',
    'none*',
    '--shell',
    '--',
    line,
  ])
  expect(ended.code).toBe(3)
  expect(ended.stdout).toBe('')
  run = /muster run artifacts (\S+) --into DIR/.exec(ended.stderr)?.[1] ?? ''
  expect(ended.stderr.split('\n')).toEqual([
    'not kept: none*: no file matches it',
    'not kept: out/link: it is a link, and links are not followed',
    `2 artifacts kept (2.0 KiB): muster run artifacts ${run} --into DIR`,
    '',
  ])
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
})

const artifacts = (...args: string[]) => home.muster(['run', 'artifacts', run, ...args], { cwd: home.dir })

test('they are listed, for people and as JSON', async () => {
  const { stdout, code } = await artifacts()
  expect(code).toBe(0)
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['SIZE', 'SHA-256', 'NAME'],
    ['3 B', '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', 'out/a'],
    ['2.0 KiB', expect.stringMatching(/^[0-9a-f]{64}$/), 'out/b'],
    ['not kept: none*: no file matches it'],
    ['not kept: out/link: it is a link, and links are not followed'],
    [''],
  ])
  expect(JSON.parse((await artifacts('--json')).stdout)).toMatchObject({
    run,
    host: 'local',
    artifacts: [
      { name: 'out/a', bytes: 3, here: true },
      { name: 'out/b', bytes: 2000, here: true },
    ],
    refused: [{ name: 'none*' }, { name: 'out/link' }],
  })
})

test('one is written to stdout', async () => {
  expect(await artifacts('out/a')).toMatchObject({ stdout: 'one', stderr: '', code: 0 })
  expect((await artifacts('out/b')).bytes).toHaveLength(2000)
})

test('all of them, or one, are saved below a directory, and what is there is not replaced unasked', async () => {
  const saved = await artifacts('--into', 'saved')
  expect(saved).toMatchObject({ stdout: '2 files (2.0 KiB) saved in saved.\n', code: 0 })
  expect(await readFile(join(home.dir, 'saved/out/a'), 'utf8')).toBe('one')
  expect((await stat(join(home.dir, 'saved/out/b'))).size).toBe(2000)

  await writeFile(join(home.dir, 'saved/out/a'), 'mine')
  const refused = await artifacts('--into', 'saved')
  expect(refused).toMatchObject({ code: 5, stdout: '' })
  expect(refused.stderr).toMatch(/out\/a exists already, and so does another\.\nhint: .*--force/)
  expect(await readFile(join(home.dir, 'saved/out/a'), 'utf8')).toBe('mine')
  const forced = await artifacts('out/a', '--into', 'saved', '--force', '--json')
  expect(JSON.parse(forced.stdout).saved).toMatchObject([{ name: 'out/a', bytes: 3, file: join(home.dir, 'saved/out/a') }])
  expect(await readFile(join(home.dir, 'saved/out/a'), 'utf8')).toBe('one')
})

test('nothing is saved through a link', async () => {
  await mkdir(join(home.dir, 'linked'))
  await mkdir(join(home.dir, 'elsewhere'))
  await symlink(join(home.dir, 'elsewhere'), join(home.dir, 'linked/out'))
  const ended = await artifacts('--into', 'linked', '--force')
  expect(ended).toMatchObject({ code: 8, stdout: '' })
  expect(ended.stderr).toContain('is a link, or no directory')
})

test('what cannot be done says why, and what to do', async () => {
  expect(await artifacts('out/c')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining(`Run ${run} has no artifact out/c.`),
  })
  expect(await artifacts('../a')).toMatchObject({ code: 2, stderr: expect.stringContaining('it is no plain relative path') })
  expect(await artifacts('out/a', '--json')).toMatchObject({ code: 2, stderr: expect.stringContaining('--into DIR') })
  expect(await artifacts('--force')).toMatchObject({ code: 2, stderr: expect.stringContaining('--into DIR') })
  expect(await home.muster(['run', 'artifacts', 'run_none'])).toMatchObject({ code: 4 })
  for (const glob of ['/etc/*', '../x'])
    expect(await home.muster(['exec', 'local', '--artifact', glob, '--', 'true'])).toMatchObject({
      code: 255,
      stderr: expect.stringMatching(/^The glob ".*" is not valid: it .*\nhint: .*--artifact/),
    })
})

test('they are shown with the run, and in the JSON of exec; a run without any has none', async () => {
  expect((await home.muster(['run', 'show', run])).stdout).toMatch(
    /^artifacts: +out\/a \(3 B\), out\/b \(2\.0 KiB\), 2 not kept$/m,
  )
  expect(JSON.parse((await home.muster(['run', 'show', run, '--json'])).stdout).artifacts).toHaveLength(2)
  const json = await home.muster(['exec', 'local', '-n', '--cwd', cwd, '--json', '--artifact', 'out/a', '--', 'true'])
  expect(JSON.parse(json.stdout).runs[0]).toMatchObject({ exit: { code: 0 }, artifacts: [{ name: 'out/a' }], refused: [] })
  const without = await home.muster(['exec', 'local', '-n', '--json', '--', 'true'])
  const [other] = JSON.parse(without.stdout).runs
  expect(other).not.toHaveProperty('artifacts')
  expect((await home.muster(['run', 'artifacts', other.run])).stdout).toBe('No artifacts.\n')
  expect((await home.muster(['run', 'show', other.run])).stdout).not.toContain('artifacts')
})

test('their names are completed', async () => {
  // Whoever presses Tab waits half a second at most, which may be too short for a busy machine.
  await eventually(async () => {
    const { stdout } = await home.muster(['complete', '--', 'run', 'artifacts', run, 'out/'])
    expect(stdout).toBe('out/a\t3 B\nout/b\t2.0 KiB\n')
  })
})
