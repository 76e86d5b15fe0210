// Two real hubs, one of them a host of the other: what people do with such a host, through a line that breaks and hubs that are killed.

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasProgram } from '../../../scripts/system-parts.ts'
import { findRun, getHubInfo, listFleetRuns, submitRun } from '../../../src/contract/fleet.ts'
import { addHost, type HostRow, showHost } from '../../../src/contract/host.ts'
import { applyProc, callProc, stopProc } from '../../../src/contract/proc.ts'
import { isTerminal, type Run, startRun } from '../../../src/contract/run.ts'
import { createToken, revokeToken } from '../../../src/contract/token.ts'
import { connectHub } from '../../../src/sdk/client.ts'
import { makeAuthority, openTlsFront } from '../../resources/certificates.ts'
import { musterJson, muster as runMuster, until } from '../../resources/muster.ts'
import { flap, openProxy } from '../../resources/proxy.ts'
import { seed, seededRandom } from '../../resources/seeded.ts'
import { type FixtureHub, openFixtureHub } from '../conformance/fixtures/hub.ts'

let opened: AsyncDisposableStack
let near: FixtureHub
let far: FixtureHub

beforeEach(async () => {
  opened = new AsyncDisposableStack()
  // One after the other, since each looks for a free port.
  near = opened.use(await openFixtureHub())
  far = opened.use(await openFixtureHub())
})
afterEach(() => opened.disposeAsync())

const tokenOf = ({ own }: FixtureHub, role: 'operator' | 'viewer' = 'operator') =>
  own.hub.call(createToken, { name: 'for another hub', role })

/** Makes `far` the host `prod` of `near`, by whatever address leads there. */
async function addFar(url: string, more: Record<string, string> = {}): Promise<HostRow> {
  const { token } = await tokenOf(far)
  const { host } = await near.own.hub.call(addHost, { name: 'prod', connector: { kind: 'http', url, ...more }, secret: token })
  return host
}

const shell = (line: string) => ({ kind: 'command' as const, argv: ['/bin/sh', '-c', line] })
const rowOf = (hub: FixtureHub, host = 'prod') => hub.own.hub.call(showHost, { host })

const untilStatus = (hub: FixtureHub, status: HostRow['status']) =>
  until(`prod is ${status}`, async () => {
    const row = await rowOf(hub)
    return row.status === status ? row : undefined
  })

const endOf = ({ own }: FixtureHub, run: string): Promise<Run> =>
  until(`${run} ends`, async () => {
    const now = await own.hub.call(findRun, { run })
    return isTerminal(now.state) ? now : undefined
  })

const countOf = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('\n').length - 1

test('commands, their input and output, and procs work as on any host', async () => {
  expect(await addFar(far.url)).toMatchObject({ status: 'online', probe: { answered: true }, label: far.url, connector: 'http' })
  const { code, stdout, stderr } = await runMuster(
    near.home,
    ['exec', 'prod', '--', '/bin/sh', '-c', 'cat; echo bad >&2; exit 3'],
    {
      input: 'from the near side\n',
    },
  )
  expect({ code, stdout }).toEqual({ code: 3, stdout: 'from the near side\n' })
  expect(stderr).toContain('bad')

  const prod = near.client.host('prod')
  const echo = fileURLToPath(new URL('../../programs/echo-proc.ts', import.meta.url))
  await prod.call(applyProc, { proc: 'echo', spec: { argv: [process.execPath, echo] } })
  expect(await prod.call(callProc, { proc: 'echo', method: 'echo', params: { a: [1, 'ü'] } })).toEqual({ a: [1, 'ü'] })
  await prod.call(stopProc, { proc: 'echo' })

  const { runs, unanswered } = await near.client.hub.call(listFleetRuns, { host: 'prod' })
  expect(runs).toMatchObject([{ host: 'prod', state: 'failed' }])
  expect(unanswered).toEqual([])
})

test('a run outlives the death of the hub that carries it, and of the hub that asked for it', async () => {
  await addFar(far.url)
  const go = `${far.home}/go`
  const starts = `${far.home}/starts`
  const { id } = await near.own.hub.call(submitRun, {
    host: 'prod',
    spec: shell(`echo started >> ${starts}; while [ ! -e ${go} ]; do sleep 0.05; done; echo done; exit 5`),
  })
  await until('it runs', async () => ((await countOf(starts)) === 1 ? true : undefined))
  await far.process.kill()
  expect(await untilStatus(near, 'offline')).toMatchObject({ reason: expect.stringMatching(/^refused/) })
  await expect(near.own.hub.call(submitRun, { host: 'prod', spec: shell('true') })).rejects.toMatchObject({
    code: 'host.offline',
  })
  await far.restart()
  await untilStatus(near, 'online')
  await near.restart()
  await untilStatus(near, 'online')
  await far.process.kill()
  await runMuster(near.home, ['exec', 'prod', '--queue', '--detach', '--', 'touch', go])
  await near.restart()
  await far.restart()
  expect(await endOf(near, id)).toMatchObject({ state: 'failed', exit: { code: 5 }, host: 'prod' })
  expect(await countOf(starts)).toBe(1)
  expect((await runMuster(near.home, ['run', 'logs', id])).stdout).toBe('done\n')
})

test(`through a line that is cut again and again, each of 20 submissions is started once (seed ${seed})`, async () => {
  await using line = await openProxy(far.url)
  const { token } = await tokenOf(far)
  // The line's port is not the other hub's own, as behind any proxy.
  await far.restart({ args: ['--allow-host', '127.0.0.1'] })
  await near.own.hub.call(addHost, { name: 'prod', connector: { kind: 'http', url: line.url }, secret: token })
  const file = (n: number) => `${far.home}/started-${n}`
  const flapping = flap(line, { random: seededRandom(), atLeastMs: 20, atMostMs: 200, forMs: 4_000 })
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      near.own.hub.call(submitRun, { host: 'prod', spec: shell(`echo x >> ${file(n)}`), queue: true }),
    ),
  )
  await flapping
  for (const { id } of runs) expect(await endOf(near, id)).toMatchObject({ state: 'succeeded' })
  expect(await Promise.all(runs.map((_, n) => countOf(file(n))))).toEqual(runs.map(() => 1))
})

test('the same run id again is the same run, and another spec under it a conflict', async () => {
  await addFar(far.url)
  const prod = near.client.host('prod')
  const start = { run: 'mine', spec: shell('true') }
  const first = await prod.call(startRun, start)
  expect(await prod.call(startRun, start)).toMatchObject({ id: first.id, createdAt: first.createdAt })
  await expect(prod.call(startRun, { run: 'mine', spec: shell('false') })).rejects.toMatchObject({ code: 'run.conflict' })
})

test('a hub that is added to itself is a loop; two that have each other as hosts are not, and go no further than one hop', async () => {
  const { token } = await tokenOf(near)
  const { host } = await near.own.hub.call(addHost, {
    name: 'myself',
    connector: { kind: 'http', url: near.url },
    secret: token,
  })
  expect(host).toMatchObject({ status: 'never_seen', probe: { answered: false, problem: expect.stringMatching(/^loop/) } })
  await expect(near.own.hub.call(submitRun, { host: 'myself', spec: shell('true') })).rejects.toMatchObject({
    code: 'host.offline',
    message: expect.stringContaining('loop'),
  })

  await addFar(far.url)
  await far.own.hub.call(addHost, { name: 'back', connector: { kind: 'http', url: near.url }, secret: token })
  await untilStatus(near, 'online')
  const { runs } = await near.own.hub.call(listFleetRuns, {})
  expect(runs).toEqual([])
  const { id } = await near.own.hub.call(submitRun, { host: 'prod', spec: shell('echo there') })
  expect(await endOf(near, id)).toMatchObject({ state: 'succeeded', host: 'prod' })
  const { id: itself } = await near.own.hub.call(getHubInfo, {})
  // What the other hub sees of this one is its own machine, and not what it asked for elsewhere.
  expect((await far.own.hub.call(listFleetRuns, { host: 'back' })).runs).toEqual([])

  const other = connectHub({ url: far.url, token: (await tokenOf(far)).token, via: itself })
  await expect(other.host('back').call(startRun, { run: 'round', spec: shell('true') })).rejects.toMatchObject({
    code: 'hub.one_hop',
  })
  await expect(other.hub.call(submitRun, { host: 'back', spec: shell('true') })).rejects.toMatchObject({ code: 'hub.one_hop' })
  other.close()
  const round = connectHub({ url: near.url, token, via: itself })
  await expect(round.host('local').call(startRun, { run: 'round', spec: shell('true') })).rejects.toMatchObject({
    code: 'hub.loop',
  })
  round.close()
})

test('a hub that is served for reading only shows its runs, and starts nothing for another', async () => {
  await far.restart({ args: ['--read-only'] })
  await addFar(far.url)
  const { runs } = await musterJson<{ runs: { run: string }[] }>(far.home, ['exec', 'local', '--', 'echo', 'on its own machine'])
  const own = runs[0]?.run as string
  expect((await runMuster(near.home, ['run', 'logs', own])).stdout).toBe('on its own machine\n')
  await expect(near.client.host('prod').call(startRun, { run: 'r', spec: shell('true') })).rejects.toMatchObject({
    code: 'hub.read_only',
  })
  const { code, stderr } = await runMuster(near.home, ['exec', 'prod', '--', 'true'])
  expect(code).not.toBe(0)
  expect(stderr).toContain('served for reading only')
})

test('a revoked token takes the host offline, and says what to do', async () => {
  const { token, id } = await tokenOf(far)
  await near.own.hub.call(addHost, { name: 'prod', connector: { kind: 'http', url: far.url }, secret: token })
  expect(await rowOf(near)).toMatchObject({ status: 'online' })
  await far.own.hub.call(revokeToken, { token: id })
  expect(await untilStatus(near, 'offline')).toMatchObject({
    reason: expect.stringMatching(/^unauthorised: .*muster token create/),
  })
  const { stderr } = await runMuster(near.home, ['exec', 'prod', '--', 'true'])
  expect(stderr).toContain('unauthorised')
  expect(stderr).not.toContain(token)
})

test.skipIf(!hasProgram('openssl'))('over https with a private authority', async () => {
  await using authority = await makeAuthority()
  await far.restart({ args: ['--allow-host', 'localhost'] })
  await using front = await openTlsFront(far.url, await authority.issue('DNS:localhost'))
  const distrusted = await addFar(front.url)
  expect(distrusted).toMatchObject({
    status: 'never_seen',
    probe: { problem: expect.stringMatching(/certificate .* not trusted/) },
  })
  expect(front.received).toBe(0)
  await runMuster(near.home, ['host', 'remove', 'prod'])

  await addFar(front.url, { caFile: authority.caFile })
  await untilStatus(near, 'online')
  const { stdout } = await runMuster(near.home, ['exec', 'prod', '--', 'cat'], { input: 'x'.repeat(300_000) })
  expect(stdout).toBe('x'.repeat(300_000))
})
