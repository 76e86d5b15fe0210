// A workflow whose hub is killed goes on where it was: what had finished is not run again, what had started is not started again.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Run } from '../../src/contract/run.ts'
import { endOf, joinNode, makeHome, muster, musterJson, serveHub, until } from '../resources/muster.ts'

const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))
const items = Array.from({ length: 12 }, (_, i) => `item-${i}`)

it('twelve units over two hosts, the hub killed in the middle: each started once, all in the result', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  const hub = await serveHub(home)
  await using _node = await joinNode(hub, 'second', nodeHome)
  const starts = join(home.path, 'starts')
  const file = join(home.path, 'spread.yaml')
  await writeFile(
    file,
    `
name: spread
steps:
  - id: work
    for_each: ${JSON.stringify(items)}
    distribute: { hosts: [local, second] }
    max_parallel: 3
    run: [${process.execPath}, ${appendLine}, ${starts}, "{{ item }}", "150"]
`,
  )
  const {
    run: { id: run },
  } = await musterJson<{ run: Run }>(home.path, ['workflow', 'run', file, '--detach'])
  await until('four units have started', async () => {
    const lines = (await readFile(starts, 'utf8').catch(() => '')).split('\n')
    return lines.length > 4 ? true : undefined
  })
  await hub.kill()
  await using _again = await serveHub(home, { bind: new URL(hub.url).host })
  const ended = await endOf(home.path, run, 60_000)
  expect(ended.state, (await muster(home.path, ['run', 'logs', run])).stdout).toBe('succeeded')
  expect((await readFile(starts, 'utf8')).trim().split('\n').sort()).toEqual([...items].sort())
})

it('a workflow that is cancelled cancels the units that are running, on every host', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'second', nodeHome)
  const file = join(home.path, 'sleep.yaml')
  await writeFile(
    file,
    `
name: sleep
steps:
  - id: sleep
    for_each: ["600", "601"]
    distribute: { hosts: [local, second] }
    run: [sleep, "{{ item }}"]
`,
  )
  const {
    run: { id: run },
  } = await musterJson<{ run: Run }>(home.path, ['workflow', 'run', file, '--detach'])
  const units = () =>
    musterJson<{ runs: Run[] }>(home.path, ['run', 'list']).then(({ runs }) => runs.filter(({ parent }) => parent?.run === run))
  await until('both units run', async () =>
    (await units()).filter(({ state }) => state === 'running').length === 2 ? true : undefined,
  )
  expect((await muster(home.path, ['run', 'cancel', run])).code).toBe(0)
  await until('all of it has ended', async () => {
    const states = [...(await units()).map(({ state }) => state), (await musterJson<Run>(home.path, ['run', 'show', run])).state]
    return states.every((state) => state === 'cancelled') ? true : undefined
  })
})
