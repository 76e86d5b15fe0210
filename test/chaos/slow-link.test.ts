// A long, narrow line: 1 MB/s, 100 ms each way. Bulk output arrives whole, and small questions to the same host are answered meanwhile.

import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { submitRun } from '../../src/contract/fleet.ts'
import { getHostInfo } from '../../src/contract/host.ts'
import { readOutput } from '../../src/contract/output.ts'
import { joinNode, makeHome, serveHub } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'
import { clientOf, endOf } from './client.ts'
import { report, seed, seededRandom } from './trials.ts'

const line = { bytesPerSecond: 1_000_000, latencyMs: 100, jitterMs: 20 }
const bytes = 10_000_000
/**
 * What may be under way before an answer: a stream's window and the line's own queue, half a second each; then the round trip, and what a
 * busy machine adds. Behind all of the output it would be ten seconds.
 */
const boundMs = 5_000

it('10 MB of output arrive whole over 1 MB/s and 100 ms, and small calls do not wait for them', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using proxy = await openProxy(hub.url, { ...line, random: seededRandom(seed) })
  await using _node = await joinNode(hub, 'far', nodeHome, { via: proxy.url })
  using client = await clientOf(hub)
  const idle = await askRepeatedly(5)

  const startedAt = performance.now()
  const program = `process.stdout.write(Buffer.from(Array.from({ length: ${bytes} }, (_, n) => (n * 31 + (n >> 8)) & 255)))`
  const { id } = await client.hub.call(submitRun, {
    host: 'far',
    spec: { kind: 'command', argv: [process.execPath, '-e', program] },
  })
  const hash = createHash('sha256')
  let read = 0
  let reading = true
  const reader = (async () => {
    for await (const piece of client.host('far').bytes(readOutput, { run: id, follow: true })) {
      hash.update(piece)
      read += piece.length
    }
    reading = false
  })()
  const busy: number[] = []
  while (reading) busy.push(...(await askRepeatedly(1)))
  await reader
  const seconds = (performance.now() - startedAt) / 1000
  expect(read).toBe(bytes)
  expect(hash.digest('hex')).toBe(expectedHash())
  expect(await endOf(client, id)).toMatchObject({ state: 'succeeded', output: { stdout: bytes } })
  report(
    `${bytes / 1e6} MB over ${line.bytesPerSecond / 1e6} MB/s and ${line.latencyMs} ms: whole after ${seconds.toFixed(1)} s; ` +
      `host.info meanwhile: ${figures(busy)}; on the idle line: ${figures(idle)} (seed ${seed})`,
  )
  expect(Math.max(...busy)).toBeLessThan(boundMs)

  async function askRepeatedly(times: number): Promise<number[]> {
    const tookMs: number[] = []
    for (let n = 0; n < times; n++) {
      const from = performance.now()
      await client.host('far').call(getHostInfo, {})
      tookMs.push(performance.now() - from)
    }
    return tookMs
  }
})

function expectedHash(): string {
  return createHash('sha256')
    .update(Buffer.from(Array.from({ length: bytes }, (_, n) => (n * 31 + (n >> 8)) & 255)))
    .digest('hex')
}

function figures(tookMs: readonly number[]): string {
  const sorted = tookMs.toSorted((a, b) => a - b)
  return `${sorted.length} calls, p50 ${Math.round(sorted[Math.floor(sorted.length / 2)] as number)} ms, max ${Math.round(sorted.at(-1) as number)} ms`
}
