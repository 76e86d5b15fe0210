// Links that come and go several times a second, under load: three nodes', and that of the one who asks. Every run that was accepted is
// started once and ends well; who follows sees neither gap nor repeat.

import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { hasCode } from '../../src/contract/errors.ts'
import { submitRun } from '../../src/contract/fleet.ts'
import type { InputOf } from '../../src/contract/operation.ts'
import { execDetached, joinNode, makeHome, serveHub, until } from '../resources/muster.ts'
import { flap, openProxy } from '../resources/proxy.ts'
import { clientOf, endOf } from './client.ts'
import { followRun } from './followers.ts'
import { report, seed, seededRandom } from './trials.ts'

const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))
const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))
const forMs = 15_000
const last = 1_000
/** Between two submissions to a node: a queue that takes minutes to work off would test nothing more. */
const everyMs = 200

it(`links that flap for ${forMs} ms lose nothing and start nothing twice (seed ${seed})`, async () => {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const hub = opened.use(await serveHub(home))
  const steady = opened.use(await clientOf(hub))
  const starts = join(home.path, 'starts')
  await appendFile(starts, '')

  const names = ['first', 'second', 'third']
  const links = await Promise.all(
    names.map(async (name) => {
      const nodeHome = opened.use(await makeHome())
      const proxy = opened.use(await openProxy(hub.url))
      opened.use(await joinNode(hub, name, nodeHome, { via: proxy.url }))
      return proxy
    }),
  )
  const asking = opened.use(await openProxy(hub.url))
  const client = opened.use(await clientOf(hub, asking.url))
  const followed = await Promise.all(
    names.map((name) => execDetached(home.path, name, [process.execPath, countUp, `${last}`, '20'])),
  )
  const followers = followed.map((run, n) => opened.use(followRun({ home: home.path, client, host: names[n] as string, run })))
  await until('all are following', async () => (followers.every(({ soFar }) => soFar().includes('\n20\n')) ? true : undefined))

  let flapping = true
  const accepted = new Map<string, string>()
  let lostAnswers = 0
  async function submitTo(host: string): Promise<void> {
    for (let n = 0; flapping; n++) {
      await sleep(everyMs)
      const key = `${host}-${n}`
      const argv = [process.execPath, appendLine, starts, key, '100']
      accepted.set(key, await submitUntilAnswered({ host, key, queue: true, spec: { kind: 'command', argv } }))
    }
  }
  async function submitUntilAnswered(submission: InputOf<typeof submitRun>): Promise<string> {
    for (;;) {
      try {
        return (await client.hub.call(submitRun, submission)).id
      } catch (error) {
        // Whether it was taken is not known: the same key asks again.
        if (!hasCode(error, 'wire.closed')) throw error
        lostAnswers++
        await sleep(50)
      }
    }
  }

  const load = names.map(submitTo)
  const cuts = await Promise.all(
    [...links, asking].map((proxy, n) => flap(proxy, { random: seededRandom(seed + n), atLeastMs: 50, atMostMs: 500, forMs })),
  )
  flapping = false
  await Promise.all(load)
  for (const [key, run] of accepted) {
    expect(await endOf(steady, run, 120_000), key).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  }
  for (const one of followers) await one.haveAll(last)
  for (const run of followed) expect(await endOf(steady, run)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  expect((await readFile(starts, 'utf8')).trim().split('\n').sort()).toEqual([...accepted.keys()].sort())
  expect(accepted.size).toBeGreaterThan(names.length)
  // A link is up and down for half a second each at the most.
  expect(Math.min(...cuts)).toBeGreaterThanOrEqual(Math.floor(forMs / 2_000))
  report(
    `cut ${cuts.join(', ')} times in ${forMs} ms, ${lostAnswers} answers lost: ${accepted.size} runs accepted, each started once and ` +
      `ended well; ${followers.length} times ${last} lines whole for four readers (seed ${seed})`,
  )
})
