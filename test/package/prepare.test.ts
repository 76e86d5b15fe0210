// A fresh checkout prepares itself, whatever Node the machine has, and speaks only when it installs.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../../scripts/files.ts'

const run = promisify(execFile)

let checkout: string
let cache: string

/** As from a shell that knows nothing of this checkout: its own Node, none of npm's variables, an empty cache. */
async function npm(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const outer = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'))
  const env = { ...Object.fromEntries(outer), PATH: path.join(delimiter), npm_config_cache: cache }
  return run('npm', args, { cwd: checkout, env })
}

beforeAll(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'muster-checkout-'))
  cache = await mkdtemp(join(tmpdir(), 'muster-cache-'))
  await mkdir(join(checkout, 'scripts'))
  for (const file of ['package.json', 'package-lock.json', '.npmrc', 'scripts/prepare.js']) {
    await copyFile(join(root, file), join(checkout, file))
  }
  // Stands in for the program, which would serve until it is stopped: what counts here is what runs before it, and on what.
  const script = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  script.scripts.start = 'node --version'
  await writeFile(join(checkout, 'package.json'), JSON.stringify(script))
})

afterAll(async () => {
  for (const folder of [checkout, cache]) await rm(folder, { recursive: true, force: true })
})

test('npm start installs what is missing, says so in one line, and warns of nothing', async () => {
  const { stdout, stderr } = await npm('start')
  expect(stderr).toBe('')
  expect(said(stdout)).toEqual([expect.stringMatching(/^Installing .* \.\.\.$/), expect.stringMatching(/^v24\./)])
})

test('the next npm start installs nothing and says nothing', async () => {
  const { stdout, stderr } = await npm('start')
  expect(stderr).toBe('')
  expect(said(stdout)).toEqual([expect.stringMatching(/^v24\./)])
})

test('an install that was cut off is done again', async () => {
  await rm(join(checkout, 'node_modules/.package-lock.json'))
  expect(said((await npm('start')).stdout)).toHaveLength(2)
})

/** Without the lines in which npm names each script. */
function said(stdout: string): string[] {
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('> '))
}
