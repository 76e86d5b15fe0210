// The gateway of Ceph, an S3 server that none of us wrote, between real workers and a real hub. It takes an unquoted ETag alone in
// `If-Match`, where Amazon's takes a quoted one; the fence is in a claim's name, so neither is ever sent.

import { expect, test } from 'vitest'
import { openClaims } from '../../../src/connectors/bucket/claims.ts'
import { introduce, joinCommand, joinKeyOf, parseJoinToken } from '../../../src/connectors/bucket/join-token.ts'
import { claimKey } from '../../../src/connectors/bucket/keys.ts'
import { openObjects } from '../../../src/connectors/bucket/open-objects.ts'
import { cancelRun, getRun } from '../../../src/contract/run.ts'
import { temporaryIdentity } from '../../../src/wire/identity.ts'
import { makeHome, until } from '../../resources/muster.ts'
import { missingRgw, startRgw } from '../../resources/rgw.ts'
import { s3Credentials } from '../../resources/s3-server.ts'
import { hostName, openBucketHub, tokenIn } from './fixture.ts'

const missing = missingRgw()
const races = 600
const lanes = 6
const leaseMs = 60_000

test.skipIf(missing !== undefined)(
  'of two workers that race on it exactly one gets each claim, and each claim after that',
  async () => {
    Object.assign(process.env, s3Credentials)
    await using rgw = await startRgw()
    const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
    const hub = temporaryIdentity()
    const place = { bucket: 's3://drop', endpoint: rgw.endpoint }
    const token = parseJoinToken(tokenIn(joinCommand(place, { host, identity: hub })))
    const workers = await Promise.all(
      ['one', 'other'].map(async () => {
        const identity = temporaryIdentity()
        const { introduction } = introduce(token, identity.publicKey)
        // A client each, as machines have.
        const objects = await openObjects(place)
        return openClaims({ host, joinKey: joinKeyOf(hub, host), objects, identity, introduction, leaseMs })
      }),
    )
    const wins = new Map<string, number>()
    const shares = [0, 0]
    async function race(run: string): Promise<void> {
      for (const fence of [1, 2]) {
        const held = await Promise.all(workers.map((claims) => claims.take(run, { fence, former: undefined })))
        wins.set(claimKey(run, fence), held.filter((one) => one !== undefined).length)
        for (const [worker, one] of held.entries()) if (one) shares[worker] = (shares[worker] ?? 0) + 1
      }
    }
    const runs = Array.from({ length: races / 2 }, (_, i) => `run_${i}`).values()
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (const run of runs) await race(run)
      }),
    )
    console.log(`races on Ceph's gateway: ${wins.size}, won by one and by the other worker: ${shares.join(', ')}`)
    expect([...wins].filter(([, winners]) => winners !== 1)).toEqual([])
    expect(wins.size).toBe(races)
  },
)

test.skipIf(missing !== undefined)('a host is joined, asked, read and cancelled through it', async () => {
  Object.assign(process.env, s3Credentials)
  await using rgw = await startRgw()
  await using bucket = await openBucketHub({ endpoint: rgw.endpoint })
  await using box = await makeHome()
  bucket.worker(box.path, [], s3Credentials)
  const run = await bucket.submit(['/bin/sh', '-c', 'echo through the gateway; exit 3'])
  expect(await bucket.endOf(run.id)).toMatchObject({ state: 'failed', exit: { code: 3 } })
  expect(await bucket.output(run.id)).toBe('through the gateway\n')
  const large = await bucket.submit(['/bin/sh', '-c', 'head -c 20000000 /dev/zero'])
  expect(await bucket.endOf(large.id)).toMatchObject({ state: 'succeeded', output: { stdout: 20_000_000 } })
  const long = await bucket.submit(['sleep', '600'])
  const asked = bucket.hub.client.host(hostName)
  await until('it runs', async () => ((await asked.call(getRun, { run: long.id })).state === 'running' ? true : undefined))
  await asked.call(cancelRun, { run: long.id, graceMs: 0 })
  expect(await bucket.endOf(long.id)).toMatchObject({ state: 'cancelled' })
})
