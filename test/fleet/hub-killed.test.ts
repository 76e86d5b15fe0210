// A hub that is killed at a named instant, or at any, loses no accepted run and starts none twice.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Crashpoint } from '../../src/contract/crashpoint.ts'
import { endOf, execDetached, joinNode, makeHome, muster, serveHub, until, untilOnline } from '../resources/muster.ts'

const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))
const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))

describe('a hub killed while it submits', () => {
  const crashpoints: Crashpoint[] = [
    'submit.after-commit',
    'claim.after-commit',
    'start.after-answer',
    'accept.after-commit',
    'spawn.after-spawn',
  ]
  it.each(crashpoints)('at %s: the run is there after the restart, and started once', async (crashpoint) => {
    await using home = await makeHome()
    const starts = join(home.path, 'starts')
    const command = [process.execPath, appendLine, starts, 'one']
    const key = ['--run-key', 'only-once']
    {
      await using hub = await serveHub(home, { env: { MUSTER_CRASHPOINT: crashpoint } })
      await muster(home.path, ['exec', 'local', '--detach', ...key, '--', ...command])
      await until('the hub has died at its crashpoint', async () =>
        hub.log().length >= 0 && !isAlive(hub.pid) ? true : undefined,
      )
    }
    await using _again = await serveHub(home)
    const run = await execDetached(home.path, 'local', command, key)
    expect(await endOf(home.path, run)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
    expect(await readFile(starts, 'utf8')).toBe('one\n')
  })
})

describe('a hub killed while a run goes on', () => {
  it('finds the run on its own host and on a tunnel host, with every byte and the right exit', async () => {
    await using home = await makeHome()
    await using nodeHome = await makeHome()
    const hub = await serveHub(home)
    await using _node = await joinNode(hub, 'second', nodeHome)
    const command = ['/bin/sh', '-c', `${process.execPath} ${countUp} 60 20; exit 3`]
    const runs = await Promise.all(['local', 'second'].map((host) => execDetached(home.path, host, command)))
    await until('both have begun to write', async () => {
      const outputs = await Promise.all(runs.map((run) => muster(home.path, ['run', 'logs', run])))
      return outputs.every(({ stdout }) => stdout.includes('5\n')) ? true : undefined
    })
    await hub.kill()
    await using again = await serveHub(home, { bind: new URL(hub.url).host })
    await untilOnline(again, 'second')
    const expected = Array.from({ length: 60 }, (_, i) => `${i + 1}\n`).join('')
    for (const run of runs) {
      expect(await endOf(home.path, run)).toMatchObject({ state: 'failed', exit: { code: 3, signal: null } })
      expect((await muster(home.path, ['run', 'logs', run])).stdout).toBe(expected)
    }
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
