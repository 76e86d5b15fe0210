// How long one invocation on several hosts waits for each of them. What comes of it is shown with real hosts in test/hub/invoke.test.ts.

import { expect, test } from 'vitest'
import { invokeCommand, invokeOnFleet } from '../contract/command.ts'
import { direct } from '../contract/direct.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { scopes } from '../contract/operation.ts'
import { createFleet, type FleetHost } from './fleet.ts'
import { fleetInvoker } from './invoke-fleet.ts'
import { testHost } from './test-parts.ts'

const someone: Principal = { kind: 'user', id: 'tok_1', role: 'operator', scopes: new Set(scopes) }

/** Hosts that never answer, of which one asks a person as often as `asks` says. */
function open({ asks = 0, usualMs = 50 }: { asks?: number; usualMs?: number } = {}) {
  let left = asks
  const looks: unknown[][] = []
  const ended: string[] = []
  const offers = ({ name }: FleetHost) =>
    implementation(
      implement(invokeCommand, (_input, { signal }) => {
        const { promise, reject } = Promise.withResolvers<never>()
        signal.addEventListener('abort', () => {
          ended.push(name)
          reject(signal.reason)
        })
        return promise
      }),
    )
  const fleet = createFleet(testHost('local', []))
  for (const name of ['asks', 'idles']) fleet.add(testHost(name, []))
  const invoker = fleetInvoker({
    fleet,
    door: { offers },
    usualMs,
    async isAsked(...about) {
      looks.push(about)
      return about[0] === 'asks' && left-- > 0
    },
  })
  const caller = direct(implementation(implement(invokeOnFleet, invoker)), someone)
  const invoke = (timeoutMs?: number) =>
    caller.call(invokeOnFleet, { hosts: ['asks', 'idles'], command: 'shell', ...(timeoutMs !== undefined && { timeoutMs }) })
  return { invoke, looks, ended }
}

test('a host that asks a person is waited for until it has asked, and one that only says nothing is not', async () => {
  const { invoke, looks, ended } = open({ asks: 5 })
  const answer = await invoke()
  expect(answer).toMatchObject({ failed: 2 })
  expect(answer.groups.map(({ error }) => error?.code)).toEqual(['invoke.no_answer', 'invoke.no_answer'])
  expect(ended).toEqual(['idles', 'asks'])
  expect(looks.filter(([host]) => host === 'idles')).toEqual([['idles', 'shell']])
  // Five times it was, and the sixth time no more.
  expect(looks.filter(([host]) => host === 'asks')).toHaveLength(6)
})

test('a deadline that somebody has set is one, whoever is asked meanwhile', async () => {
  const { invoke, looks } = open({ asks: 1_000, usualMs: 1 })
  expect(await invoke(30)).toMatchObject({ failed: 2 })
  expect(looks).toEqual([])
})
