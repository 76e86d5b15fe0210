// The same hub on PostgreSQL: what was submitted is there for the next hub on the same database.

import { expect, test } from 'vitest'
import { getHubInfo, submitRun } from '../../src/contract/fleet.ts'
import { makeHome } from '../resources/home.ts'
import { testDatabase } from '../resources/stores.ts'
import { openTestHub } from './hub-fixture.ts'

test('runs on local and on a tunnel host, a workflow over both, and a second hub after the first', async () => {
  await using database = await testDatabase('postgres')
  if (!('url' in database.where)) throw new Error('not a PostgreSQL')
  const storeUrl = database.where.url
  await using home = await makeHome()
  let run = ''
  {
    await using hub = await openTestHub({ storeUrl, home })
    await using _node = await hub.join('box')
    expect(await hub.caller.call(getHubInfo, {})).toMatchObject({ store: 'postgres' })
    const source =
      'name: both\nsteps:\n  - { id: all, for_each: [a, b, c, d], distribute: { hosts: [local, box] }, run: [echo, "{{ item }}"] }'
    const ended = await hub.endOf(await hub.submit({ kind: 'workflow', file: 'both.yaml', source }, { key: 'once' }))
    expect(ended.state).toBe('succeeded')
    run = ended.id
  }
  await using again = await openTestHub({ storeUrl, home })
  const source =
    'name: both\nsteps:\n  - { id: all, for_each: [a, b, c, d], distribute: { hosts: [local, box] }, run: [echo, "{{ item }}"] }'
  expect(
    await again.caller.call(submitRun, { spec: { kind: 'workflow', file: 'both.yaml', source }, key: 'once' }),
  ).toMatchObject({ id: run, state: 'succeeded' })
})
