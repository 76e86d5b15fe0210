// A host's credential is taken back while its node is connected and at work: the link ends at once, for both sides, and stays ended.

import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { asMusterError } from '../../src/contract/errors.ts'
import { followEvents } from '../../src/contract/event.ts'
import { removeHost, replaceHostToken } from '../../src/contract/host.ts'
import { applyProc, callProc, getProc } from '../../src/contract/proc.ts'
import { clientOf } from '../chaos/client.ts'
import { eventually } from '../resources/eventually.ts'
import { execDetached, joinNode, makeHome, muster, serveHub, until, untilOnline } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'

const echoProc = fileURLToPath(new URL('../programs/echo-proc.ts', import.meta.url))
const promisedMs = 1_000
/** What a busy machine may add. */
const busyMs = 5_000

it.each([
  {
    what: 'a host that is removed',
    revoke: ({ hub }: Awaited<ReturnType<typeof clientOf>>) => hub.call(removeHost, { host: 'second', force: true }),
    says: "does not know this node's key",
    reader: 'host.unknown',
  },
  {
    what: 'a host whose token is replaced',
    revoke: ({ hub }: Awaited<ReturnType<typeof clientOf>>) => hub.call(replaceHostToken, { host: 'second' }),
    says: 'its key counts again once it has shown the new one',
    reader: 'call.cancelled',
  },
])('$what is cut off at once, with all that is in flight, and its node gives up', async ({ what, revoke, says, reader }) => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  using client = await clientOf(hub)
  await using proxy = await openProxy(hub.url)
  const node = await joinNode(hub, 'second', nodeHome, { via: proxy.url, allow: ['runs', 'procs'] })
  const host = client.host('second')
  await host.call(applyProc, { proc: 'silent', spec: { argv: [process.execPath, echoProc] } })
  await until('the proc is ready', async () =>
    (await host.call(getProc, { proc: 'silent' })).status === 'running' ? true : undefined,
  )
  const run = await execDetached(home.path, 'second', ['sleep', '600'])
  const leaving = new AbortController()
  const reading = readerOf(host.items(followEvents, { run, follow: true }, { signal: leaving.signal }))
  await reading.begun

  let revokedAt = Number.POSITIVE_INFINITY
  const after = () => Math.round(performance.now() - revokedAt)
  const call = host.call(callProc, { proc: 'silent', method: 'hang', params: null }).catch((error) => ({
    code: asMusterError(error).code,
    afterMs: after(),
  }))
  expect(proxy.open).toBe(1)
  revokedAt = performance.now()
  await revoke(client)
  const answeredMs = after()
  await eventually(() => expect(proxy.open).toBe(0))
  const closedMs = after()
  const ended = (await call) as { code: string; afterMs: number }

  expect(await node.ended).toEqual([3, null])
  expect(ended.code).toMatch(/^(wire\.closed|host\.unknown)$/)
  expect(node.log()).toContain(says)
  // Who reads the mirror of a host that stays goes on reading it, until he leaves.
  if (reader === 'call.cancelled') leaving.abort()
  expect(await reading.ended).toMatchObject({ code: reader })
  console.log(
    `${what}: the command was answered after ${answeredMs} ms, the socket was closed after ${closedMs} ms, a call in flight ended ` +
      `${ended.code} after ${ended.afterMs} ms`,
  )
  expect(Math.max(closedMs, ended.afterMs)).toBeLessThan(promisedMs + busyMs)

  // It has ended, so it dials no more; and started again, it dials once.
  const dialled = proxy.connections
  const again = await muster(nodeHome.path, ['node', '--hub', proxy.url.replace('http', 'ws'), '--allow', 'runs'])
  expect(again.code).toBe(3)
  expect(again.stderr).toContain(says)
  expect(proxy.connections).toBe(dialled + 1)
})

it('a host whose record is put aside for a moment is cut off, and its node is there again once it is back', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  const node = await joinNode(hub, 'second', nodeHome)
  const record = join(home.path, 'hosts', `${node.host}.toml`)
  await rename(record, `${record}.aside`)
  const refused = () => node.log().split('cannot be used at the hub now').length - 1
  // Cut off, then refused at its next dialling too.
  await until('it was refused', async () => (refused() >= 2 ? true : undefined), node)
  await rename(`${record}.aside`, record)
  await untilOnline(hub, 'second', node)
  expect(node.log().split('"joined the hub"')).toHaveLength(3)
})

/** `ended`: with what reading failed. */
function readerOf(events: AsyncIterable<unknown>): { begun: Promise<void>; ended: Promise<unknown> } {
  const begun = Promise.withResolvers<void>()
  const read = async () => {
    for await (const _event of events) begun.resolve()
  }
  return { begun: begun.promise, ended: read().catch((error: unknown) => error) }
}
