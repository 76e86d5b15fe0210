import { expect, test, vi } from 'vitest'
import { failure } from '../../contract/errors.ts'
import { getHostInfo } from '../../contract/host.ts'
import { implementation, type Principal } from '../../contract/implementation.ts'
import { scopes } from '../../contract/operation.ts'
import { memoryChannels } from '../../wire/channels/memory.ts'
import { defaultLimits } from '../../wire/limits.ts'
import { createPeer } from '../../wire/peer.ts'
import type { LinkState } from '../port.ts'
import { connectTunnel } from './connector.ts'

const node: Principal = { kind: 'node', id: 'host_1', role: 'node', scopes: new Set() }
const hub: Principal = { kind: 'hub', id: 'hub', role: 'hub', scopes: new Set(scopes) }

function dialIn(connector: ReturnType<typeof connectTunnel>) {
  const [hubEnd, nodeEnd] = memoryChannels()
  connector.attach?.(hubEnd, node, defaultLimits)
  return createPeer(nodeEnd, { offers: implementation(), principal: hub })
}

test('a host that has never dialled in is told apart from one that is away', () => {
  expect(connectTunnel({ lastSeenAt: null }).state).toEqual({ status: 'never_seen', since: null })
  expect(connectTunnel({ lastSeenAt: '2026-01-01T00:00:00.000Z' }).state).toMatchObject({
    status: 'offline',
    since: '2026-01-01T00:00:00.000Z',
  })
})

test('it is online while its node is connected, and offline with the reason afterwards', async () => {
  await using connector = connectTunnel({ lastSeenAt: null })
  const states: LinkState['status'][] = []
  connector.onChange(({ status }) => states.push(status))
  const peer = dialIn(connector)
  expect(connector.state.status).toBe('online')
  peer.close(failure('wire.closed', { reason: 'the lid was shut' }))
  await vi.waitFor(() => expect(connector.state.status).toBe('offline'), 30_000)
  expect(states).toEqual(['online', 'offline'])
})

test('a node that dials again replaces its older connection, whose late close changes nothing', async () => {
  await using connector = connectTunnel({ lastSeenAt: null })
  const first = dialIn(connector)
  const second = dialIn(connector)
  await first.closed
  await new Promise((resolve) => setImmediate(resolve))
  expect(connector.state.status).toBe('online')
  expect(second.pendingCalls).toBe(0)
})

test('a node can ask its hub for nothing', async () => {
  await using connector = connectTunnel({ lastSeenAt: null })
  const peer = dialIn(connector)
  await expect(peer.call(getHostInfo, {})).rejects.toMatchObject({ code: 'operation.unknown' })
})

test('a closed connector takes no connection any more', async () => {
  const connector = connectTunnel({ lastSeenAt: null })
  await connector.close(failure('node.unknown'))
  const peer = dialIn(connector)
  await peer.closed
  expect(connector.state.status).toBe('never_seen')
})

test('closing it changes nothing of when an absent host was last seen', async () => {
  for (const lastSeenAt of [null, '2026-01-01T00:00:00.000Z']) {
    const connector = connectTunnel({ lastSeenAt })
    await connector.close(failure('wire.closed', { reason: 'the hub is closing' }))
    expect(connector.state.since).toBe(lastSeenAt)
  }
})
