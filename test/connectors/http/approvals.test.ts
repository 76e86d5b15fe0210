// What the machine of another hub asks people, where two real hubs have people: who is shown it, who may answer, and in whose name.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  approveApproval,
  denyApproval,
  type FleetApproval,
  followApprovals,
  listApprovals,
  resolveApproval,
} from '../../../src/contract/approval.ts'
import { invokeCommand } from '../../../src/contract/command.ts'
import { asMusterError } from '../../../src/contract/errors.ts'
import { addHost } from '../../../src/contract/host.ts'
import { localHost } from '../../../src/contract/names.ts'
import { createToken } from '../../../src/contract/token.ts'
import { until } from '../../resources/muster.ts'
import { type FixtureHub, openFixtureHub } from '../conformance/fixtures/hub.ts'

let opened: AsyncDisposableStack
let near: FixtureHub
let far: FixtureHub
/** The far hub's own name for the near one: the token that it was given. */
let nearToken: string

beforeAll(async () => {
  opened = new AsyncDisposableStack()
  near = opened.use(await openFixtureHub())
  far = opened.use(await openFixtureHub())
  nearToken = await addFar('prod', 'operator')
})
afterAll(() => opened.disposeAsync())

/** Makes `far` a host of `near`, by a token of that role; resolves with the token's id. */
async function addFar(name: string, role: 'operator' | 'viewer'): Promise<string> {
  const { id, token } = await far.own.hub.call(createToken, { name, role })
  await near.own.hub.call(addHost, { name, connector: { kind: 'http', url: far.url }, secret: token })
  return id
}

const ran = (name: string) => readFile(join(far.home, name), 'utf8').catch(() => '')

function invoke({ client }: FixtureHub, host: string, name: string) {
  const params = { script: `echo ran >> '${join(far.home, name)}'` }
  return client
    .host(host)
    .call(invokeCommand, { command: 'shell', params })
    .then(({ result }) => result, asMusterError)
}

const shownAt = ({ client }: FixtureHub): Promise<FleetApproval[]> =>
  client.hub.call(listApprovals, { all: true }).then(({ approvals }) => approvals)

const waitsAt = (hub: FixtureHub) => until('it waits', async () => (await shownAt(hub)).find(({ state }) => state === 'pending'))

const endsAt = (hub: FixtureHub, id: string) =>
  until('it is over', async () => (await shownAt(hub)).find((one) => one.id === id && one.state !== 'pending'))

test('both hubs show it, the first answer counts, and each names but its own people', async () => {
  const outcome = invoke(near, 'prod', 'first')
  const [here, there] = await Promise.all([waitsAt(near), waitsAt(far)])
  expect(here).toMatchObject({ host: 'prod', digest: there.digest, asked: { asker: nearToken } })
  expect(there).toMatchObject({ id: here.id, host: localHost })
  const { id: approval, digest } = here
  expect(await near.client.hub.call(approveApproval, { approval, digest })).toMatchObject({ state: 'approved' })
  expect(await outcome).toMatchObject({ code: 0 })
  expect(await endsAt(far, approval)).toMatchObject({ state: 'approved', resolution: { by: nearToken } })
  expect((await endsAt(near, approval)).resolution?.by).toMatch(/^tok_/)
  await expect(far.client.hub.call(denyApproval, { approval, digest, reason: 'too late' })).rejects.toMatchObject({
    code: 'approval.resolved',
  })

  const ownQuestion = invoke(far, localHost, 'first')
  const other = await waitsAt(near)
  const denial = { approval: other.id, digest: other.digest, reason: 'not there' }
  await far.client.hub.call(denyApproval, denial)
  expect(await ownQuestion).toMatchObject({ code: 'approval.denied' })
  expect(await endsAt(near, other.id)).toMatchObject({ state: 'denied', resolution: { by: null, reason: 'not there' } })
  expect(await ran('first')).toBe('ran\n')
})

test('an answer over the near hub is in the name of its token, whatever is said in it', async () => {
  const outcome = invoke(far, localHost, 'named')
  const { id: approval, digest } = await waitsAt(near)
  const answer = { approval, digest, outcome: 'denied', reason: 'no', by: 'the owner of that machine' } as const
  const answered = await near.client.host('prod').call(resolveApproval, answer)
  // Here it is who has answered here; there it is the token by which this hub came.
  expect(answered.resolution?.by).toMatch(/^tok_/)
  expect(answered.resolution?.by).not.toBe(nearToken)
  expect(await endsAt(far, approval)).toMatchObject({ state: 'denied', resolution: { by: nearToken } })
  expect(await outcome).toMatchObject({ code: 'approval.denied', message: expect.stringContaining(nearToken) })
})

test("a viewer's token shows the near hub nothing of it and answers nothing", async () => {
  await addFar('watched', 'viewer')
  const outcome = invoke(far, localHost, 'watched')
  const { id: approval, digest } = await waitsAt(far)
  const watched = near.client.host('watched')
  const answer = watched.call(resolveApproval, { approval, digest, outcome: 'approved' })
  // As that host it has told the near hub of nothing.
  await expect(answer).rejects.toMatchObject({ code: 'approval.unknown' })
  const reading = async () => {
    for await (const change of watched.items(followApprovals, {})) expect(change).toBeUndefined()
  }
  await expect(reading()).rejects.toMatchObject({ code: 'host.token_role' })
  expect((await shownAt(far)).find(({ id }) => id === approval)).toMatchObject({ state: 'pending' })
  await far.client.hub.call(denyApproval, { approval, digest, reason: 'done' })
  await outcome
  expect(await ran('watched')).toBe('')
})

test('a near hub that is killed while it waits has left: the question is over, and nothing runs', async () => {
  const outcome = invoke(near, 'prod', 'left')
  const { id: approval, digest } = await waitsAt(near)
  await near.restart()
  expect(await outcome).toBeInstanceOf(Error)
  expect(await endsAt(far, approval)).toMatchObject({ state: 'unavailable' })
  expect(await endsAt(near, approval)).toMatchObject({ state: 'unavailable' })
  await expect(far.client.hub.call(approveApproval, { approval, digest })).rejects.toMatchObject({ code: 'approval.resolved' })
  expect(await ran('left')).toBe('')
})
