// The state machine of approvals under random schedules: questions, right and wrong answers, broken links, expiries, dead hosts. Beside
// it the test keeps a list of what was accepted: nothing runs that is not on it, nothing runs twice, and what is over stays over.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Approval, followApprovals } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import { type AskingHost, hub, openAskingHost, question } from './test-parts.ts'

const schedules = 25
const expiryMs = 60

const nth = fc.nat(7)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), what: fc.constantFrom('a', 'b') }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), nth, yes: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forge' as const), nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), nth }) },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'wait' as const }) },
)
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

interface Asked {
  readonly approval: Approval
  readonly link: AbortController
  readonly ended: Promise<void>
}

/** Every approval as the host tells it now. */
async function told(host: AskingHost): Promise<Map<string, Approval>> {
  const found = new Map<string, Approval>()
  for await (const { approval } of host.as(hub).items(followApprovals, {})) found.set(approval.id, approval)
  return found
}

async function carryOut(host: AskingHost, steps: readonly Step[]): Promise<void> {
  const asks: Asked[] = []
  const accepted: string[] = []
  const ran: string[] = []
  let over = new Map<string, Approval>()

  async function ask(what: string): Promise<void> {
    const link = new AbortController()
    const seen = Promise.withResolvers<Approval>()
    const begin = async () => {
      const { outcome } = await host.approvals.ask(question({ params: { what } }), link.signal, seen.resolve)
      if (outcome === 'approved') ran.push((await seen.promise).id)
    }
    const ended = begin().catch(seen.reject)
    asks.push({ approval: await seen.promise, link, ended })
  }

  async function answer({ approval }: Asked, yes: boolean): Promise<void> {
    const before = (await told(host)).get(approval.id)
    const answered = await host.resolve(approval, yes ? 'approved' : 'denied').catch(() => undefined)
    if (!answered) return
    expect(before?.state).toBe('pending')
    expect(answered.state).toBe(yes ? 'approved' : 'denied')
    if (yes) accepted.push(answered.id)
  }

  async function forge({ approval }: Asked): Promise<void> {
    await expect(host.resolve({ ...approval, digest: 'f'.repeat(64) }, 'approved')).rejects.toMatchObject({
      code: expect.stringMatching(/^approval\.(changed|resolved)$/),
    })
  }

  async function crash(): Promise<void> {
    await host.crash()
    host.follow()
    expect([...(await told(host)).values()].filter(({ state }) => state === 'pending')).toEqual([])
  }

  async function take(one: Step): Promise<void> {
    if (one.do === 'ask') return ask(one.what)
    if (one.do === 'crash') return crash()
    if (one.do === 'wait') return new Promise((resolve) => setTimeout(resolve, expiryMs + 10))
    const chosen = asks[one.nth % Math.max(1, asks.length)]
    if (!chosen) return
    if (one.do === 'answer') return answer(chosen, one.yes)
    if (one.do === 'forge') return forge(chosen)
    chosen.link.abort(one.do === 'leave' ? failure('call.cancelled') : failure('wire.closed', { reason: 'cut' }))
  }

  host.follow()
  for (const one of steps) {
    await take(one)
    const now = await told(host)
    for (const [id, { state }] of over) expect(now.get(id)?.state).toBe(state)
    over = new Map([...now].filter(([, { state }]) => state !== 'pending'))
  }
  for (const { link } of asks) link.abort(failure('call.cancelled'))
  await Promise.all(asks.map(({ ended }) => ended))
  expect(new Set(accepted).size).toBe(accepted.length)
  expect(new Set(ran).size).toBe(ran.length)
  expect(ran.filter((id) => !accepted.includes(id))).toEqual([])
}

test('whatever happens in whatever order, only what was approved runs, once, and no end is undone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await using host = await openAskingHost({ expiryMs })
      await carryOut(host, steps)
    }),
    { numRuns: schedules },
  )
})
