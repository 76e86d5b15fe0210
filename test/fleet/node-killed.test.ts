// A node that is killed leaves its runs alone: started again, it takes them up and reports what they did meanwhile.

import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Run } from '../../src/contract/run.ts'
import { endOf, execDetached, joinNode, makeHome, muster, musterJson, rejoinNode, serveHub, until } from '../resources/muster.ts'

const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))

it('a run that goes on and one that ended meanwhile are both reported right', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  const node = await joinNode(hub, 'second', nodeHome)
  const start = (line: string) => execDetached(home.path, 'second', ['/bin/sh', '-c', line])
  const long = await start(`${process.execPath} ${countUp} 80 20; exit 4`)
  const short = await start(`${process.execPath} ${countUp} 10 10; exit 5`)
  await until('both write', async () => {
    const outputs = await Promise.all([long, short].map((run) => muster(home.path, ['run', 'logs', run])))
    return outputs.every(({ stdout }) => stdout.startsWith('1\n')) ? true : undefined
  })
  await node.kill()
  await until('the hub sees that it is gone', async () => {
    const run = await musterJson<Run>(home.path, ['run', 'show', long])
    return run.unreachableSince === null ? undefined : true
  })
  const offline = await muster(home.path, ['exec', 'second', '--', 'true'])
  expect(offline).toMatchObject({ code: 255, stdout: '' })
  expect(offline.stderr).toContain('second')

  await using _again = await rejoinNode(hub, 'second', nodeHome)
  for (const [run, code, lines] of [
    [long, 4, 80],
    [short, 5, 10],
  ] as const) {
    const ended = await endOf(home.path, run)
    expect(ended).toMatchObject({ state: 'failed', exit: { code, signal: null }, unreachableSince: null })
    const { stdout } = await muster(home.path, ['run', 'logs', run])
    expect(stdout).toBe(Array.from({ length: lines }, (_, i) => `${i + 1}\n`).join(''))
  }
})
