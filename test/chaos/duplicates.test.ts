// What is sent again after it had arrived: HTTP requests that start something, and messages on a node's tunnel. Nothing starts twice,
// and no byte comes twice: a doubled message ends its connection, and what was under way goes on over the next.

import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { listFleetRuns, submitRun } from '../../src/contract/fleet.ts'
import { readOutput } from '../../src/contract/output.ts'
import { writeStdin } from '../../src/contract/run.ts'
import { openDoublingProxy } from '../resources/doubling-proxy.ts'
import { execDetached, joinNode, makeHome, serveHub } from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'
import { followRun } from './followers.ts'
import { report, seed, seededRandom } from './trials.ts'

const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))
const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))

it('requests that are sent twice start once and write once', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'second', nodeHome)
  await using proxy = await openDoublingProxy(hub.url, { request: ({ method }) => method === 'POST' })
  using client = await clientOf(hub, proxy.url)
  using steady = await clientOf(hub)
  const starts = join(home.path, 'starts')
  await appendFile(starts, '')

  const keys = Array.from({ length: 20 }, (_, n) => `key-${n}`)
  const submitted = await Promise.all(
    keys.map((key, n) =>
      client.hub.call(submitRun, {
        host: n % 2 === 0 ? 'local' : 'second',
        key,
        spec: { kind: 'command', argv: [process.execPath, appendLine, starts, key] },
      }),
    ),
  )
  for (const { id } of submitted) expect(await endOf(client, id)).toMatchObject({ state: 'succeeded' })
  const { runs } = await client.hub.call(listFleetRuns, { limit: 1_000 })
  expect(runs.map(({ id }) => id).sort()).toEqual(submitted.map(({ id }) => id).sort())
  expect((await readFile(starts, 'utf8')).trim().split('\n').sort()).toEqual(keys.toSorted())

  const text = Array.from({ length: 20_000 }, (_, n) => `${n + 1}\n`).join('')
  const { id: run } = await client.hub.call(submitRun, {
    host: 'second',
    key: 'cat',
    spec: { kind: 'command', argv: ['cat'], stdin: 'open' },
  })
  await client.host('second').upload(writeStdin, { run, end: false }, pieceOf(text))
  await steady.host('second').upload(writeStdin, { run, offset: text.length }, pieceOf(''))
  let copied = ''
  for await (const bytes of client.host('second').bytes(readOutput, { run, follow: true })) copied += Buffer.from(bytes)
  expect(copied).toBe(text)
  expect(proxy.doubled.requests).toBe(keys.length + 2)
  report(`${proxy.doubled.requests} requests sent twice: ${keys.length + 1} runs, each started once`)
})

it(`messages on the tunnel that come twice: nothing starts twice, no gap, no repeat (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  const times = 5
  const handshake = 2
  let left = times
  let next = 40
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using proxy = await openDoublingProxy(hub.url, {
    message: (nth) => {
      if (left === 0 || nth < handshake || --next > 0) return false
      left--
      next = 20 + Math.floor(random() * 200)
      return true
    },
  })
  await using node = await joinNode(hub, 'second', nodeHome, { via: proxy.url })
  using client = await clientOf(hub)
  const starts = join(home.path, 'starts')
  await appendFile(starts, '')

  const last = 1_000
  const run = await execDetached(home.path, 'second', [process.execPath, countUp, `${last}`, '20'])
  await using followers = followRun({ home: home.path, client, host: 'second', run })
  const accepted = new Map<string, string>()
  for (let n = 0; accepted.size < 20; n++) {
    const key = `key-${n}`
    const { id } = await client.hub.call(submitRun, {
      host: 'second',
      key,
      queue: true,
      spec: { kind: 'command', argv: [process.execPath, appendLine, starts, key] },
    })
    accepted.set(key, id)
    await endOf(client, id)
  }
  await followers.haveAll(last)
  for (const [key, id] of accepted) expect(await endOf(client, id), key).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  expect((await readFile(starts, 'utf8')).trim().split('\n').sort()).toEqual([...accepted.keys()].sort())
  report(
    `${proxy.doubled.messages} messages sent twice, ${proxy.connections} connections: ${accepted.size} runs started once, ${last} lines whole (seed ${seed})`,
  )
  expect(proxy.doubled.messages).toBe(times)
  expect(proxy.connections).toBe(times + 1)
  expect(node.log()).toContain('was next')
})

async function* pieceOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
