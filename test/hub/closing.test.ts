// A hub that is closed, or cannot open, in the midst of work: it ends soon, nobody is left waiting, and nothing accepted is lost.

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { followEvents, followJournal } from '../../src/contract/event.ts'
import { followLog } from '../../src/contract/output.ts'
import { getRun } from '../../src/contract/run.ts'
import { getJob } from '../../src/store/jobs/find.ts'
import { openStore } from '../../src/store/store.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openTestHub } from './hub-fixture.ts'

const echo = { kind: 'command' as const, argv: ['echo', 'hello'] }
const sleep = { kind: 'command' as const, argv: ['sleep', '600'] }
const workflow = { kind: 'workflow' as const, file: 'w.yaml', source: 'name: w\nsteps: [{ id: a, run: [sleep, "600"] }]' }

test('a hub closes within its grace under live runs, workflows, readers and a stranger who says nothing', async () => {
  await using hub = await openTestHub()
  await using _node = await hub.join('box')
  const runs = [await hub.submit(sleep), await hub.submit(sleep, { host: 'box' }), await hub.submit(workflow)]
  const readers = []
  for (const run of runs) {
    const host = await hub.host(run.host)
    await until('it runs', async () => ((await host.call(getRun, { run: run.id })).state === 'running' ? true : undefined))
    readers.push(
      drain(host.items(followEvents, { run: run.id, follow: true })),
      drain(host.items(followLog, { run: run.id, follow: true })),
      drain(host.items(followJournal, { follow: true })),
    )
  }
  const [stranger] = memoryChannels()
  const refused = hub.acceptTunnel(stranger)
  const ends = Promise.allSettled(readers)
  await hub[Symbol.asyncDispose]()
  await refused
  for (const end of await ends) expect(end.status).toBe('rejected')
}, 60_000)

test('what was accepted just before the hub closed runs once it is opened again', async () => {
  await using home = await makeHome()
  const submitted = []
  {
    await using hub = await openTestHub({ home })
    submitted.push(...(await Promise.all(Array.from({ length: 40 }, () => hub.submit(echo)))))
  }
  await using again = await openTestHub({ home })
  for (const run of submitted) expect(await again.endOf(run)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
})

test('a hub that cannot open says so, also when a workflow waits to be taken up again, and the workflow goes on later', async () => {
  await using home = await makeHome()
  let run = ''
  {
    await using hub = await openTestHub({ home })
    run = (await hub.submit(workflow)).id
    const local = await hub.host('local')
    await until('it runs', async () => ((await local.call(getRun, { run })).state === 'running' ? true : undefined))
  }
  const hosts = join(home.path, 'hosts')
  await rm(hosts, { recursive: true })
  await writeFile(hosts, 'not a directory')
  await expect(openTestHub({ home })).rejects.toThrow()
  await rm(hosts)
  await using again = await openTestHub({ home })
  expect((await (await again.host('local')).call(getRun, { run })).state).toBe('running')
}, 60_000)

test('a job whose end the hub had mirrored but not noted when it was killed is ended when the hub is opened, its host away', async () => {
  await using home = await makeHome()
  let run = ''
  {
    await using hub = await openTestHub({ home })
    await using _node = await hub.join('box')
    run = (await hub.endOf(await hub.submit(echo, { host: 'box' }))).id
  }
  const file = join(home.path, 'hub', 'hub.db')
  {
    await using store = await openStore({ file })
    await store.write((db) =>
      db.updateTable('job').set({ state: 'started', run_state: 'starting', ended_at: null }).where('run', '=', run).execute(),
    )
  }
  {
    await using _hub = await openTestHub({ home })
  }
  await using store = await openStore({ file })
  expect(await getJob(store, run)).toMatchObject({ state: 'ended', runState: 'succeeded' })
})

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
