// What waits long in a bucket and what was left in it, by a clock that the test sets.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unseal } from '../../../src/connectors/bucket/envelope.ts'
import { openInbox } from '../../../src/connectors/bucket/inbox.ts'
import { claimKey, doneKey, jobKey } from '../../../src/connectors/bucket/keys.ts'
import { DoneMessage, JobMessage, largestObjectBytes, validMs } from '../../../src/connectors/bucket/messages.ts'
import { openRequests } from '../../../src/connectors/bucket/requests.ts'
import { eventually } from '../../resources/eventually.ts'
import { makeHome } from '../../resources/home.ts'
import { host, type LoneBucket, loneBucket } from './lone-worker.ts'

const hourMs = 3600_000
const startMs = Date.parse('2026-03-01T12:00:00Z')

// Only what time it is: timers and leases run on.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: startMs }))
afterEach(() => void vi.useRealTimers())

const inputOf = (run: string) => ({ run, spec: { kind: 'command', argv: ['true'] } })

async function openHub({ objects, hub }: LoneBucket) {
  await using opened = new AsyncDisposableStack()
  const dir = opened.use(await makeHome())
  const { signal } = new AbortController()
  const requests = openRequests({ objects, identity: hub, host, inbox: await openInbox(dir.path, host), signal })
  const closing = opened.move()
  return { requests, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function validUntil({ objects }: LoneBucket, run: string): Promise<number> {
  const bytes = await objects.get(jobKey(run), largestObjectBytes)
  const sealed = bytes && unseal({ host, key: jobKey(run) }, bytes)
  return JobMessage.parse(sealed?.header).validUntil
}

test('a job, a claim and a question that nobody needs any more are swept away, and no other', async () => {
  const bucket = loneBucket()
  await using hub = await openHub(bucket)
  const { requests } = hub
  const claim = (run: string) => bucket.claimsOf(bucket.join(), hourMs).take(run, { fence: 1, former: undefined })
  await requests.putAsk({ run: 'waits', operation: 'run.cancel', input: { run: 'waits' } })
  for (const run of ['over', 'gone', 'waits']) {
    await requests.putJob(run, inputOf(run))
    await claim(run)
  }
  await requests.end(['over', 'gone'].map((run) => ({ run, fence: 1, whole: false })))
  // Its claim came behind the hub's deleting.
  await bucket.objects.delete(jobKey('gone'))
  vi.setSystemTime(startMs + validMs + 1)
  const kept = await requests.putAsk({ run: 'waits', operation: 'run.cancel', input: { run: 'waits' } })
  await requests.sweep()
  expect(bucket.objects.keys()).toEqual([claimKey('waits', 1), `q/ask/${kept}`, doneKey, jobKey('waits')].sort())
})

test('a job that waits for 13 hours is signed anew, and starts when a worker comes after a day', async () => {
  const bucket = loneBucket()
  await using hub = await openHub(bucket)
  await hub.requests.putJob('waits', inputOf('waits'))
  await hub.requests.sweep()
  expect(await validUntil(bucket, 'waits')).toBe(startMs + validMs)
  vi.setSystemTime(startMs + 13 * hourMs)
  await hub.requests.sweep()
  expect(await validUntil(bucket, 'waits')).toBe(startMs + 13 * hourMs + validMs)
  vi.setSystemTime(startMs + 25 * hourMs)
  await using worker = await bucket.worker(bucket.join(), hourMs)
  await eventually(() => expect(worker.asked).toEqual(['run.start waits']))
})

test('a job that somebody has claimed is not taken back: it stays as it is; one that nobody has claimed is gone for good', async () => {
  const bucket = loneBucket()
  await using hub = await openHub(bucket)
  const { requests } = hub
  const claims = bucket.claimsOf(bucket.join(), hourMs)
  for (const run of ['claimed', 'nobodys']) await requests.putJob(run, inputOf(run))
  await claims.take('claimed', { fence: 1, former: undefined })
  const isClaimed = (run: string) => async () => (await bucket.objects.get(claimKey(run, 1), largestObjectBytes)) !== undefined
  expect(await requests.withdraw('claimed', isClaimed('claimed'))).toBe(false)
  expect(await requests.withdraw('nobodys', isClaimed('nobodys'))).toBe(true)
  expect(await bucket.objects.get(jobKey('claimed'), largestObjectBytes)).toBeDefined()
  expect(await bucket.objects.get(jobKey('nobodys'), largestObjectBytes)).toBeUndefined()
  const done = unseal({ host, key: doneKey }, (await bucket.objects.get(doneKey, largestObjectBytes)) as Uint8Array)
  expect(Object.keys(DoneMessage.parse(done?.header).runs)).toEqual(['nobodys'])
})
