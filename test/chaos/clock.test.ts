// Somebody sets the clock of the hub's or of a node's machine, an hour either way, while there are live runs, waiting jobs, a claim
// and a link. Nothing starts twice, nothing is lost, nothing is given up or stopped for a time that has not passed.

import { appendFileSync, existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findRun, submitRun } from '../../src/contract/fleet.ts'
import { enrollNode, getHostInfo, showHost } from '../../src/contract/host.ts'
import type { Run } from '../../src/contract/run.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { joinNode, makeHome, rejoinNode, serveHub, until } from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'
import { canFakeTime, fakeClock } from './fake-time.ts'

const hourMs = 3_600_000
const minuteMs = 60_000

/** Commands that note each start of theirs and end when they are told to. */
async function notedCommands(): Promise<NotedCommands> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-clock-'))
  const stop = join(dir, 'stop')
  const startsOf = (name: string) => join(dir, `${name}.starts`)
  return {
    argv: (name) => ['sh', '-c', `echo started >> ${startsOf(name)}; while [ ! -e ${stop} ]; do sleep 0.2; done; echo over`],
    starts: async (name) => (existsSync(startsOf(name)) ? (await readFile(startsOf(name), 'utf8')).split('\n').length - 1 : 0),
    end: () => appendFileSync(stop, ''),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  }
}

interface NotedCommands extends AsyncDisposable {
  argv(name: string): string[]
  starts(name: string): Promise<number>
  end(): void
}

const submit = (
  client: HubClient,
  host: string,
  argv: readonly string[],
  { timeoutMs = 10 * minuteMs, ...more }: { timeoutMs?: number; queue?: boolean; expiresInMs?: number } = {},
): Promise<Run> => client.hub.call(submitRun, { host, spec: { kind: 'command', argv: [...argv], timeoutMs }, ...more })

function running(client: HubClient, run: string): Promise<Run> {
  return until(`${run} runs`, async () => {
    const now = await client.hub.call(findRun, { run })
    return now.state === 'running' ? now : undefined
  })
}

function expectSane({ createdAt, startedAt, endedAt }: Run): void {
  expect(Date.parse(endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(startedAt ?? ''))
  expect(Date.parse(startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(createdAt))
}

const jumps = [
  ['forward', hourMs],
  ['back', -hourMs],
] as const

test.skipIf(!canFakeTime).for(jumps)("the hub's clock jumps an hour %s", async ([, byMs]) => {
  await using clock = await fakeClock()
  await using commands = await notedCommands()
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using awayHome = await makeHome()
  await using hub = await serveHub(home, { env: clock.env })
  await using node = await joinNode(hub, 'box', nodeHome)
  using client = await clientOf(hub)
  const away = await client.hub.call(enrollNode, { name: 'away' })

  const live = await Promise.all(
    ['local', 'box'].map(async (host) => running(client, (await submit(client, host, commands.argv(host))).id)),
  )
  const waiting = await submit(client, 'away', commands.argv('away'), { queue: true, expiresInMs: 30 * minuteMs })
  const { since } = await client.hub.call(showHost, { host: 'box' })
  // A claim that lasts: its host takes its time to answer.
  process.kill(node.pid, 'SIGSTOP')
  const claimed = await submit(client, 'box', commands.argv('claimed'))
  await until('it is claimed', async () => ((await stateOf(client, claimed.id)) === 'claimed' ? true : undefined))

  clock.set(byMs)
  const jumpedAt = performance.now()
  const short = await submit(client, 'away', ['true'], { queue: true, expiresInMs: 3_000 })
  expect(Math.abs(Date.parse(short.createdAt) - Date.now() - byMs)).toBeLessThan(minuteMs)
  const given = await endOf(client, short.id)
  expect(given).toMatchObject({ state: 'failed', error: { code: 'run.expired' } })
  expect(performance.now() - jumpedAt).toBeGreaterThan(2_900)
  expect(performance.now() - jumpedAt).toBeLessThan(60_000)
  expect(await stateOf(client, claimed.id)).toBe('claimed')
  process.kill(node.pid, 'SIGCONT')
  await running(client, claimed.id)

  for (const host of ['local', 'box']) {
    const quick = await endOf(client, (await submit(client, host, ['true'], { timeoutMs: 5 * minuteMs })).id)
    expect(quick).toMatchObject({ state: 'succeeded', error: null })
    expectSane(quick)
  }
  for (const { id, pid } of live) expect(await client.hub.call(findRun, { run: id })).toMatchObject({ state: 'running', pid })
  expect(await stateOf(client, waiting.id)).toBe('queued')
  expect(await client.hub.call(showHost, { host: 'box' })).toMatchObject({ status: 'online', since })

  await using _away = await rejoinNode(hub, 'away', awayHome, { token: away.token })
  await running(client, waiting.id)
  commands.end()
  for (const { id } of [...live, claimed, waiting]) {
    const ended = await endOf(client, id)
    expect(ended).toMatchObject({ state: 'succeeded', error: null })
    expectSane(ended)
  }
  for (const name of ['local', 'box', 'claimed', 'away']) expect(await commands.starts(name), name).toBe(1)
  expect(hub.log()).not.toMatch(/claims lapsed|could not/)
})

test.skipIf(!canFakeTime).for(jumps)("a node's clock jumps an hour %s, and the node is killed then", async ([, byMs]) => {
  await using clock = await fakeClock()
  await using commands = await notedCommands()
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using node = await joinNode(hub, 'box', nodeHome, { env: clock.env })
  using client = await clientOf(hub)
  const live = await running(client, (await submit(client, 'box', commands.argv('live'))).id)
  const { since } = await client.hub.call(showHost, { host: 'box' })

  clock.set(byMs)
  await until('the node goes by it', async () => {
    const info = await client.host('box').call(getHostInfo, {})
    return Math.abs(Date.parse(info.clock) - Date.now() - byMs) < minuteMs ? true : undefined
  })
  const quick = await endOf(client, (await submit(client, 'box', ['true'], { timeoutMs: 5 * minuteMs })).id)
  expect(quick).toMatchObject({ state: 'succeeded', error: null })
  expectSane(quick)
  expect(await client.hub.call(findRun, { run: live.id })).toMatchObject({ state: 'running', pid: live.pid })
  expect(await client.hub.call(showHost, { host: 'box' })).toMatchObject({ status: 'online', since })

  await node.kill()
  await using _again = await rejoinNode(hub, 'box', nodeHome, { env: clock.env })
  const next = await running(client, (await submit(client, 'box', commands.argv('next'))).id)
  expect(await client.hub.call(findRun, { run: live.id })).toMatchObject({ state: 'running', pid: live.pid })
  commands.end()
  for (const { id } of [live, next]) {
    const ended = await endOf(client, id)
    expect(ended).toMatchObject({ state: 'succeeded', error: null })
    expectSane(ended)
  }
  for (const name of ['live', 'next']) expect(await commands.starts(name), name).toBe(1)
})

async function stateOf(client: HubClient, run: string): Promise<Run['state']> {
  return (await client.hub.call(findRun, { run })).state
}
