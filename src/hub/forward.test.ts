import { expect, test } from 'vitest'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { implementation, type Principal } from '../contract/implementation.ts'
import type { Scope } from '../contract/operation.ts'
import { callProc } from '../contract/proc.ts'
import type { FleetHost } from './fleet.ts'
import { forwardTo } from './forward.ts'

/** Asks, with these scopes, a host that is trusted with `trust` and notes what reaches it. */
function asking({ trust, scopes }: { trust: FleetHost['trust']; scopes: readonly Scope[] }) {
  const reached: unknown[] = []
  const host = {
    id: 'host_1',
    name: 'box',
    trust,
    connector: {
      traits: { mirrored: false, deferred: false, interactive: true },
      state: {
        status: 'online',
        since: '2026-01-01T00:00:00.000Z',
        caller: { call: async (_, input) => reached.push(input) } as Caller,
      },
    },
  } as Partial<FleetHost> as FleetHost
  const offers = forwardTo({
    host,
    queue: {} as never,
    mirror: { readings: () => implementation() } as never,
    answerOf: async () => ({}) as never,
    gone: new AbortController().signal,
  })
  const principal: Principal = { kind: 'user', id: 'test', role: 'tester', scopes: new Set(scopes) }
  const service = (method: string, params: unknown = {}) =>
    direct(offers, principal).call(callProc, { proc: 'service', method, params })
  return { service, reached }
}

test("a host that is not trusted with runs gets none by its proc `service` either, and the operation's own scope is asked for", async () => {
  const all = ['read', 'operate', 'admin'] as const
  const untrusted = asking({ trust: ['procs'], scopes: all })
  await expect(untrusted.service('run.start')).rejects.toMatchObject({ code: 'host.untrusted' })
  await expect(untrusted.service('proc.call', { proc: 'service', method: 'run.start', params: {} })).rejects.toMatchObject({
    code: 'host.untrusted',
  })
  await untrusted.service('host.info')
  const operating = asking({ trust: ['runs', 'procs'], scopes: ['read', 'operate'] })
  await expect(operating.service('host.shutdown')).rejects.toMatchObject({ code: 'auth.forbidden' })
  await operating.service('run.start')
  expect([untrusted.reached.length, operating.reached.length]).toEqual([1, 1])
})

test('who has people asked about a copy is who the hub has let in, whatever he says himself', async () => {
  const { service, reached } = asking({ trust: ['*'], scopes: ['read', 'operate'] })
  await service('file.ask', { path: '/srv', for: 'read', asker: 'somebody else' })
  await service('proc.call', {
    proc: 'service',
    method: 'file.ask',
    params: { path: '/srv', for: 'write', asker: 'somebody else' },
  })
  expect(reached).toMatchObject([
    { path: '/srv', for: 'read', asker: 'test' },
    { path: '/srv', for: 'write', asker: 'test' },
  ])
  const untrusted = asking({ trust: ['file.read'], scopes: ['read', 'operate'] })
  await expect(untrusted.service('file.ask', { path: '/srv', for: 'write' })).rejects.toMatchObject({ code: 'host.untrusted' })
})
