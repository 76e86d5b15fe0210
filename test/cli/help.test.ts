// Starting is cheap: help and version load no schema, server or store. And an old Node is told so.

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { buildProgram } from '../../src/cli/program.ts'
import { exitCode } from '../../src/contract/errors.ts'
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

test.each(commandsOf(newProgram()))(
  'muster %s has a help with a usage line and the global options, and says as JSON what it cannot parse',
  async (words) => {
    const { stdout } = await run(process.execPath, [script, ...words.split(' '), '--help'])
    expect(stdout).toMatch(new RegExp(`^Usage: muster ${words}`))
    expect(stdout).toMatch(/--json[\s\S]*--output <file>/)
    const refused = spawnSync(process.execPath, [script, ...words.split(' '), '--json', '--xyzzy-quux'], { encoding: 'utf8' })
    expect(refused.status).toBe(exitCode.usage)
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: {
        code: 'cli.usage',
        message: "Unknown option '--xyzzy-quux'.",
        hint: `\`muster ${words} --help\` shows how to call it.`,
      },
    })
  },
)

function newProgram(): Command {
  return buildProgram(
    () => async () => {},
    () => {},
  )
}

/** The words of each command that does something: `run list`. */
function commandsOf(command: Command): string[] {
  const below = command.createHelp().visibleCommands(command)
  return below
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => [
      ...(one.options.some(({ long }) => long === '--json') ? [one.name()] : []),
      ...commandsOf(one).map((words) => `${one.name()} ${words}`),
    ])
}

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
