// For as long as it is told: submits commands to two hosts while hub, node and link are killed and cut at seeded random instants.
// At the end every accepted run has ended well, and each command was started exactly once: each writes down its own start.

import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { seededRandom } from '../chaos/trials.ts'
import { endOf, joinNode, makeHome, muster, rejoinNode, type Served, serveHub, untilOnline } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'

const seconds = Number(process.env.MUSTER_SOAK_SECONDS)
const seed = Number(process.env.MUSTER_SEED)
const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))

test(`no accepted run is lost and none starts twice (${seconds} s, seed ${seed})`, async () => {
  const random = seededRandom(seed)
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  const starts = join(home.path, 'starts')
  await appendFile(starts, '')
  let hub = await serveHub(home)
  const bind = new URL(hub.url).host
  await using proxy = await openProxy(hub.url)
  let node: Served = await joinNode(hub, 'second', nodeHome, { via: proxy.url })
  const accepted = new Map<string, string>()
  const end = Date.now() + seconds * 1000
  let submitting = true

  const submit = async (worker: number) => {
    for (let n = 0; submitting; n++) {
      const key = `${worker}-${n}`
      const host = random() < 0.5 ? 'local' : 'second'
      const args = [
        'exec',
        host,
        '--json',
        '--detach',
        '--queue',
        '--run-key',
        key,
        '--',
        process.execPath,
        appendLine,
        starts,
        key,
        '100',
      ]
      // A lost answer is asked for again with the same key, as a script would.
      for (let tries = 0; tries < 50; tries++) {
        const { code, stdout } = await muster(home.path, args)
        if (code !== 0) continue
        accepted.set(key, JSON.parse(stdout).runs[0].run)
        break
      }
    }
  }
  const workers = [submit(1), submit(2)]
  const breaks = {
    async hub() {
      await hub.kill()
      hub = await serveHub(home, { bind })
    },
    async node() {
      await node.kill()
      node = await rejoinNode(hub, 'second', nodeHome, { via: proxy.url })
    },
    async link() {
      proxy.cut()
    },
  }
  while (Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 200 + random() * 800))
    const names = Object.keys(breaks) as (keyof typeof breaks)[]
    await breaks[names[Math.floor(random() * names.length)] as keyof typeof breaks]()
  }
  submitting = false
  await Promise.all(workers)
  await untilOnline(hub, 'second')
  expect(accepted.size).toBeGreaterThan(0)
  for (const [key, run] of accepted)
    expect(await endOf(home.path, run), key).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  const started = (await readFile(starts, 'utf8')).trim().split('\n').sort()
  expect(started).toEqual([...new Set(started)])
  expect(started).toEqual(expect.arrayContaining([...accepted.keys()]))
  console.log(`${accepted.size} runs accepted, ${started.length} started, seed ${seed}`)
  await node.kill()
  await hub.kill()
})
