// Starting is cheap: help and version load no schema, server or store. And an old Node is told so.

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { script } from './muster.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

/** The modules that a command line loads, by a hook that is registered before it starts. */
async function loadedBy(args: string[]): Promise<{ stdout: string; modules: string[] }> {
  const hook = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    registerHooks({ load(url, context, next) { process._rawDebug('LOADED ' + url); return next(url, context) } })
  `)}`
  const { stdout, stderr } = await run(process.execPath, ['--import', hook, script, ...args])
  return {
    stdout,
    modules: stderr
      .split('\n')
      .filter((line) => line.startsWith('LOADED '))
      .map((line) => line.slice('LOADED '.length)),
  }
}

const heavy = /node_modules\/(zod|fastify|pino|kysely|ws|yaml|liquidjs|pg|prom-client)\//

test.each([['--help'], ['exec', '--help'], ['help', 'node'], ['--version']])(
  'muster %s %s loads only commander',
  async (...args) => {
    const { stdout, modules } = await loadedBy(args)
    expect(stdout).not.toBe('')
    expect(modules.some((url) => url.includes('node_modules/commander/'))).toBe(true)
    expect(modules.filter((url) => heavy.test(url))).toEqual([])
  },
)

test('the same look at modules sees zod where a command needs it', async () => {
  const { modules } = await loadedBy(['hub', 'status', '--json']).catch((error: { stderr: string }) => ({
    modules: error.stderr.split('\n'),
  }))
  expect(modules.some((url) => heavy.test(url))).toBe(true)
})

test('--version says the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect((await run(process.execPath, [script, '--version'])).stdout).toBe(`${version}\n`)
})

test('every command has a help with a usage line and the global options', async () => {
  const groups = [
    'hub serve',
    'hub start',
    'hub stop',
    'hub status',
    'host list',
    'host show',
    'host token',
    'host remove',
    'node',
    'node enroll',
    'exec',
    'run list',
    'run show',
    'run logs',
    'run cancel',
    'run watch',
    'workflow run',
    'token create',
    'token list',
    'token revoke',
    'up',
    'doctor',
    'completion',
  ]
  for (const words of groups) {
    const { stdout } = await run(process.execPath, [script, ...words.split(' '), '--help'])
    expect(stdout, words).toMatch(new RegExp(`^Usage: muster ${words}`))
    expect(stdout, words).toMatch(/--json[\s\S]*--output <file>/)
  }
})

test('a Node that is too old is told so in one line, with exit code 8', () => {
  // The file is read by the Node at hand, as one that says it is older.
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '18.20.4' }); require(${JSON.stringify(script)})`
  const ended = spawnSync(process.execPath, ['-e', pretend], { encoding: 'utf8' })
  expect(ended.status).toBe(8)
  expect(ended.stdout).toBe('')
  expect(ended.stderr).toMatch(/^muster needs Node\.js 24 or newer and found 18\.20\.4 .*npm exec muster.*\n$/)
})

test('bin/muster.js keeps to syntax that very old Nodes can read', () => {
  const source = readFileSync(script, 'utf8')
  expect(source).not.toMatch(/^\s*(import|export|let|const|class)\b|=>|\?\.|\?\?|`[^`]*\$\{/m)
})
