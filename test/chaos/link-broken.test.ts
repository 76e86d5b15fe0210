// A link that is cut for a moment, for seconds and for a minute, and one that swallows what is sent and says nothing; six nodes of one
// hub, at the same time, for these tests mostly wait. The run goes on where it runs, the host is shown as away and comes back, and who
// follows sees neither gap nor repeat.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MusterError } from '../../src/contract/errors.ts'
import { findRun, submitRun } from '../../src/contract/fleet.ts'
import { getHostInfo, type HostRow, listHosts } from '../../src/contract/host.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { defaultLimits } from '../../src/wire/limits.ts'
import { execDetached, joinNode, makeHome, type ServedHub, serveHub, until } from '../resources/muster.ts'
import { openProxy, type Way } from '../resources/proxy.ts'
import { clientOf, endOf } from './client.ts'
import { followRun } from './followers.ts'
import { report } from './trials.ts'

const appendLine = fileURLToPath(new URL('../programs/append-line.mjs', import.meta.url))
const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))
const everyMs = 20
const deadlineMs = 1_000
/** A run goes on for so long beside what is broken meanwhile: a busy machine takes its time to begin that. */
const outlastsMs = 15_000
/** By how much a busy machine may be late. */
const busyMs = 10_000
/** Silence is looked for three times in a `keepaliveMs`. */
const noticedWithinMs = defaultLimits.deadMs + defaultLimits.keepaliveMs / 3

describe.concurrent('a link', () => {
  const opened = new AsyncDisposableStack()
  let hub: ServedHub
  let client: HubClient
  beforeAll(async () => {
    hub = opened.use(await serveHub(opened.use(await makeHome())))
    client = opened.use(await clientOf(hub))
  })
  afterAll(() => opened.disposeAsync())

  it.each([60_000, 5_000, 200])('that is cut for %i ms loses nothing, repeats nothing and stops nothing', async (cutMs) => {
    const name = `cut-${cutMs}`
    await using nodeHome = await makeHome()
    await using proxy = await openProxy(hub.url)
    await using _node = await joinNode(hub, name, nodeHome, { via: proxy.url })
    const last = Math.ceil((cutMs * 1.05 + outlastsMs) / everyMs)
    const run = await execDetached(hub.home, name, [process.execPath, countUp, `${last}`, `${everyMs}`])
    await using followers = followRun({ home: hub.home, client, host: name, run })
    await until('the reader is among the first lines', async () => (followers.soFar().includes('\n20\n') ? true : undefined))

    const writtenAtHost = join(nodeHome.path, 'host', 'runs', run, 'stdout')
    const cutAt = new Date().toISOString()
    proxy.refuse()
    const cut = sleep(cutMs)
    const { size: sizeAtCut } = await stat(writtenAtHost)
    const readAtCut = followers.soFar().length
    const away = await until('the hub shows the host as offline', async () => {
      const { status, reason } = await hostNow(client, name)
      return status === 'offline' ? reason : undefined
    })
    const { unreachableSince } = await client.hub.call(findRun, { run })
    await cut
    const { size: sizeAtMend } = await stat(writtenAtHost)
    const readAtMend = followers.soFar().length
    proxy.mend()
    const mendedAt = performance.now()
    const back = await until(
      'the host is back',
      async () => {
        const { status, since } = await hostNow(client, name)
        return status === 'online' && (since ?? '') > cutAt ? performance.now() - mendedAt : undefined
      },
      undefined,
      cutMs + 90_000,
    )
    expect(away).toBeTruthy()
    expect(unreachableSince).not.toBeNull()
    expect(sizeAtMend).toBeGreaterThan(sizeAtCut)
    // What was under way at the cut may still have arrived.
    expect(readAtMend - readAtCut).toBeLessThan((sizeAtMend - sizeAtCut) / 2 + 100)

    await followers.haveAll(last)
    const ended = await endOf(client, run)
    expect(ended).toMatchObject({ state: 'succeeded', exit: { code: 0 }, unreachableSince: null })
    report(
      `link cut for ${cutMs} ms: ${last} lines whole for four readers; ${sizeAtMend - sizeAtCut} bytes written at the host meanwhile; ` +
        `back ${Math.round(back)} ms after the mend ("${away}")`,
    )
  })

  it.each<[string, Way[]]>([
    ['both-ways', ['out', 'back']],
    ['to-the-hub', ['out']],
    ['to-the-node', ['back']],
  ])('that is silent %s is noticed, made anew, and loses nothing', async (name, ways) => {
    await using nodeHome = await makeHome()
    await using proxy = await openProxy(hub.url)
    await using node = await joinNode(hub, name, nodeHome, { via: proxy.url })
    const last = Math.ceil((noticedWithinMs + outlastsMs) / everyMs)
    const run = await execDetached(hub.home, name, [process.execPath, countUp, `${last}`, `${everyMs}`])
    await using followers = followRun({ home: hub.home, client, host: name, run })
    await until('the reader is among the first lines', async () => (followers.soFar().includes('\n20\n') ? true : undefined))

    const silentAt = performance.now()
    const sinceThen = () => Math.round(performance.now() - silentAt)
    proxy.swallow(ways)
    // Only the connection that is there is dead: a new one gets through.
    proxy.mend()
    const withDeadline = endingOf(client.host(name).call(getHostInfo, {}, { timeoutMs: deadlineMs }))
    const patient = endingOf(client.host(name).call(getHostInfo, {}))
    const aTimer = sleep(deadlineMs).then(sinceThen)
    const starts = join(nodeHome.path, 'starts')
    const argv = [process.execPath, appendLine, starts, 'one']
    const submitted = await client.hub.call(submitRun, { host: name, queue: true, spec: { kind: 'command', argv } })

    const connection = await until(
      'the node has dialled again, and its hub has taken it',
      async () => {
        const { hosts } = await client.hub.call(listHosts, {})
        const { status } = hosts.find((host) => host.name === name) ?? {}
        return proxy.connections > 1 && status === 'online' ? sinceThen() : undefined
      },
      node,
      noticedWithinMs + 60_000,
    )
    expect(connection).toBeGreaterThanOrEqual(defaultLimits.keepaliveMs)

    expect(await withDeadline).toMatchObject({ code: 'call.deadline' })
    expect(await patient).toMatchObject({ code: expect.stringMatching(/^(wire\.closed|host\.offline)$/) })
    const lateMs = (await withDeadline).afterMs - (await aTimer)
    expect(lateMs).toBeLessThan(busyMs)
    expect((await patient).afterMs).toBeLessThan(noticedWithinMs + busyMs)
    await followers.haveAll(last)
    expect(await endOf(client, run)).toMatchObject({ state: 'succeeded', exit: { code: 0 }, unreachableSince: null })
    // Its start, or the answer to that, was swallowed: it was asked for again, and that changed nothing.
    expect(await endOf(client, submitted.id)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
    expect(await readFile(starts, 'utf8')).toBe('one\n')
    const noticed = node.log().match(/has sent nothing for \d+ ms|dialled in again|is gone/)?.[0] ?? 'told by the other side'
    report(
      `half-open ${name}: ${last} lines whole for four readers; the link is new after ${connection} ms (${noticed}); a call in flight ended ` +
        `${(await patient).code} after ${(await patient).afterMs} ms, one with a deadline of ${deadlineMs} ms ${lateMs} ms later than a timer`,
    )
  })
})

async function hostNow(client: HubClient, name: string): Promise<HostRow> {
  const { hosts } = await client.hub.call(listHosts, {})
  return hosts.find((host) => host.name === name) as HostRow
}

/** How a call failed, and when. */
async function endingOf(call: Promise<unknown>): Promise<{ code: string; afterMs: number }> {
  const from = performance.now()
  const afterMs = () => Math.round(performance.now() - from)
  try {
    await call
    return { code: 'answered', afterMs: afterMs() }
  } catch (error) {
    if (error instanceof MusterError) return { code: error.code, afterMs: afterMs() }
    throw error
  }
}
