// What lies in a bucket and was taken by nobody is taken back: when it is cancelled, and when its host is removed.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { addHost, listHosts, removeHost, showHost } from '../../../src/contract/host.ts'
import { cancelRun, getRun } from '../../../src/contract/run.ts'
import { makeHome, start, until } from '../../resources/muster.ts'
import { type BucketHub, hostName, openBucketHub } from './fixture.ts'

async function jobsIn({ dir }: BucketHub): Promise<string[]> {
  return readdir(join(dir, 'q', 'job')).catch(() => [])
}

function untilLaidReady(bucket: BucketHub, run: string) {
  return until('its job lies in the bucket', async () => ((await jobsIn(bucket)).includes(run) ? true : undefined))
}

test('a run that no worker has taken is cancelled at once, though its host counts as here', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const host = bucket.hub.client.host(hostName)
  const busy = await bucket.submit(['sleep', '600'])
  await untilLaidReady(bucket, busy.id)
  // It looks once an hour: nobody but the hub itself can end this in time.
  const where = ['--bucket', bucket.place.bucket, '--prefix', bucket.place.prefix]
  const pull = ['node', 'pull', ...where, '--allow', 'runs', '--interval', '1h', '--concurrency', '1']
  await using _worker = start(box.path, pull, { MUSTER_TOKEN: bucket.token })
  await until('the first one runs', async () =>
    (await host.call(getRun, { run: busy.id })).state === 'running' ? true : undefined,
  )
  const { status } = await bucket.hub.own.hub.call(showHost, { host: hostName })
  expect(status).toBe('online')
  const waiting = await bucket.submit(['sleep', '600'], { queue: false })
  await untilLaidReady(bucket, waiting.id)
  expect(await host.call(cancelRun, { run: waiting.id })).toMatchObject({ id: waiting.id, state: 'cancelled', error: null })
  expect(await jobsIn(bucket)).not.toContain(waiting.id)
  expect(await host.call(getRun, { run: waiting.id })).toMatchObject({ state: 'cancelled', startedAt: null })
  await expect(host.call(cancelRun, { run: waiting.id })).rejects.toMatchObject({ code: 'run.ended' })
})

test('what a removed host had not begun is begun by no worker afterwards', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const mark = join(box.path, 'mark')
  const runs = await Promise.all([1, 2, 3].map(() => bucket.submit(['/bin/sh', '-c', `echo x >> ${mark}`])))
  for (const { id } of runs) await untilLaidReady(bucket, id)
  await bucket.hub.own.hub.call(removeHost, { host: hostName, force: true })
  expect(await jobsIn(bucket)).toEqual([])
  const worker = bucket.worker(box.path, ['--once'])
  await worker.ended
  expect(worker.child.exitCode).toBe(0)
  await expect(readFile(mark)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('two hosts cannot be in one place of a bucket, whether added or edited to be there', async () => {
  await using bucket = await openBucketHub()
  const { hub } = bucket.hub.own
  const add = (name: string, place: { bucket: string; prefix?: string }) =>
    hub.call(addHost, { name, connector: { kind: 'bucket', ...place }, probe: false })
  const refused = {
    code: 'host.place_taken',
    message: expect.stringContaining(hostName),
    hint: expect.stringContaining('--prefix'),
  }
  await expect(add('second', bucket.place)).rejects.toMatchObject(refused)
  // The same directory, said otherwise.
  await expect(add('second', { bucket: `${bucket.place.bucket}/${bucket.place.prefix}` })).rejects.toMatchObject(refused)
  expect((await hub.call(listHosts, {})).hosts.map(({ name }) => name)).not.toContain('second')
  const { host } = await add('second', { bucket: bucket.place.bucket, prefix: 'elsewhere' })

  const file = join(bucket.hub.home, 'hosts', `${host.id}.toml`)
  await writeFile(file, (await readFile(file, 'utf8')).replace('"elsewhere"', `"${bucket.place.prefix}"`))
  const trouble = await until('it is told', async () => (await hub.call(listHosts, {})).corrupt.find((one) => one.file === file))
  expect(trouble.problem).toContain(`is the place of host ${hostName} already`)
  // Once the first one is gone the place is free.
  await hub.call(removeHost, { host: hostName, force: true })
  await until('nothing is wrong any more', async () => ((await hub.call(listHosts, {})).corrupt.length === 0 ? true : undefined))
})
