// What subscribers hear: hosts that come and go, runs that end, approvals; each as long as its token is good.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client as NewClient, StreamableHTTPClientTransport as NewHttp } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { ResourceListChangedNotificationSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { revokeToken } from '../../src/contract/token.ts'
import { type ServedTestHub, serveTestHub } from '../hub/served-hub.ts'
import { checkout, until } from '../resources/muster.ts'

let served: ServedTestHub

beforeAll(async () => {
  served = await serveTestHub()
})
afterAll(() => served[Symbol.asyncDispose]())

const watched = ['muster://environments', 'muster://events']

async function listen(token: string) {
  const client = new NewClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(
    new NewHttp(new URL('/mcp', served.url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }),
  )
  const heard: string[] = []
  client.setNotificationHandler('notifications/resources/updated', ({ params: { uri } }) => void heard.push(uri))
  client.setNotificationHandler('notifications/resources/list_changed', () => void heard.push('list'))
  const subscription = await client.listen({ resourcesListChanged: true, resourceSubscriptions: watched })
  return { client, heard, subscription }
}

/** What nobody holds is gone then, in a hub as here. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

const toldOf = (heard: readonly string[], what: string) => until(`${what} is told`, async () => heard.includes(what) || undefined)

test('a host that comes, and a run that ends, are told over /mcp to who may read', async () => {
  const { client, heard, subscription } = await listen((await served.person('viewer')).token)
  expect(subscription.honoredFilter).toEqual({ resourcesListChanged: true, resourceSubscriptions: watched })
  await using _node = await served.join('comes')
  await toldOf(heard, 'list')
  await toldOf(heard, 'muster://environments')
  await toldOf(heard, 'muster://events')
  heard.length = 0
  await served.endOf(await served.submit({ kind: 'command', argv: ['true'] }, { host: 'comes' }))
  await toldOf(heard, 'muster://events')
  expect(heard).not.toContain('list')
  expect((await client.listResources()).resources.map(({ uri }) => uri)).toContain('muster://environments/comes')
  await subscription.close()
  await client.close()
})

test('a subscription ends with its token', async () => {
  const { token, id } = await served.person('viewer', { name: 'brief' })
  const { client, subscription } = await listen(token)
  await served.caller.call(revokeToken, { token: id })
  expect(await subscription.closed).toBe('remote')
  await client.close()
})

test('one token has so many subscriptions, and leaves others theirs', async () => {
  const [greedy, modest] = await Promise.all([
    served.person('viewer', { name: 'greedy' }),
    served.person('viewer', { name: 'modest' }),
  ])
  const clients = await Promise.all(Array.from({ length: 32 }, () => listen(greedy.token)))
  await expect(listen(greedy.token)).rejects.toThrow('32 subscriptions')
  const other = await listen(modest.token)
  collectGarbage()
  await clients[0]?.subscription.close()
  const again = await until('there is room again', () => listen(greedy.token).catch(() => undefined))
  for (const { client } of [...clients.slice(1), other, again]) await client.close()
})

test('an older client subscribes over muster mcp, and hears of what it has named and of the list alone', async () => {
  const { token } = await served.person('viewer', { name: 'older' })
  const client = new OldClient({ name: 'test', version: '1' })
  const heard: string[] = []
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params: { uri } }) => void heard.push(uri))
  client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void heard.push('list'))
  const env = {
    ...(process.env as Record<string, string>),
    MUSTER_HUB: served.url,
    MUSTER_TOKEN: token,
    MUSTER_HOME: '/nonexistent',
  }
  await client.connect(new OldStdio({ command: process.execPath, args: [checkout, 'mcp'], env, stderr: 'ignore' }))
  await client.subscribeResource({ uri: 'muster://environments' })
  await using _node = await served.join('joins')
  await toldOf(heard, 'list')
  await toldOf(heard, 'muster://environments')
  expect(heard).not.toContain('muster://events')
  await client.close()
})
