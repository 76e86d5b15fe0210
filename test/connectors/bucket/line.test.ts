// The line to an S3 store breaks in the middle of what is asked over it: each request ends, and what broke is not used again.

import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openObjects } from '../../../src/connectors/bucket/open-objects.ts'
import { asMusterError } from '../../../src/contract/errors.ts'
import { until } from '../../resources/muster.ts'
import { type Line, openProxy } from '../../resources/proxy.ts'
import { s3Credentials, startS3 } from '../../resources/s3-server.ts'

/** After so long without a byte a connection is given up; a busy machine may add to it. */
const silentMs = 15_000
const allowanceMs = 30_000
const large = randomBytes(8 * 1024 * 1024)

async function openLine(line: Line = {}) {
  Object.assign(process.env, s3Credentials)
  await using opened = new AsyncDisposableStack()
  const store = opened.use(await startS3())
  const proxy = opened.use(await openProxy(store.endpoint, line))
  store.write('small', Buffer.from('small'))
  store.write('large', large)
  const objects = await openObjects({ bucket: 's3://drop', endpoint: proxy.url })
  const closing = opened.move()
  return { store, proxy, objects, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work
  return performance.now() - begun
}

describe.concurrent('the line to an S3 store', () => {
  test('many connections that have died unseen cost one silence, not one each', async () => {
    await using line = await openLine()
    await Promise.all(Array.from({ length: 30 }, () => line.objects.get('small', 100)))
    line.proxy.swallow()
    line.proxy.mend()
    const ms = await tookMs(line.objects.get('small', 100))
    console.log(`after 30 connections had died unseen, an object came in ${Math.round(ms)} ms`)
    expect(ms).toBeLessThan(silentMs + allowanceMs)
    expect(await tookMs(Array.fromAsync(line.objects.list('')))).toBeLessThan(silentMs)
  })

  test('an object of which the rest does not come is given up, or comes whole over the next connection', async () => {
    await using line = await openLine({ bytesPerSecond: 4 * 1024 * 1024 })
    const read = async () => large.equals((await line.objects.get('large', large.length)) ?? Buffer.of())
    const reading = read().catch((error) => asMusterError(error).code)
    await until('it is on its way', async () => (line.store.counts.get('GET') === 1 ? true : undefined))
    line.proxy.swallow(['back'])
    line.proxy.mend()
    const ms = await tookMs(reading)
    console.log(`an object whose connection had died under way ended after ${Math.round(ms)} ms: ${await reading}`)
    // Which of them depends on whether it had begun to come.
    expect([true, 'bucket.unavailable']).toContain(await reading)
    expect(ms).toBeLessThan(silentMs + allowanceMs)
    expect(await read()).toBe(true)
  })

  test('lists that nobody reads to their end and objects that are too large keep no connection', async () => {
    await using line = await openLine()
    for (let i = 0; i < 1_500; i++) line.store.write(`q/job/run_${i}`, Buffer.from('x'))
    const firstOf = async () => {
      for await (const { key } of line.objects.list('q/')) return key
    }
    for (let round = 0; round < 3; round++) {
      const found = await Promise.all(Array.from({ length: 60 }, firstOf))
      expect(new Set(found)).toEqual(new Set(['q/job/run_0']))
      await Promise.all(Array.from({ length: 60 }, () => line.objects.get('large', 100)))
    }
    expect(await tookMs(line.objects.get('small', 100))).toBeLessThan(silentMs)
  })
})
