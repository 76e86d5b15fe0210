// One hub with a host of every kind at once, beside hosts of every kind that nobody has ever reached: what is known of each, a workflow over
// all of them with one dead and one slow, and how they are shown once they are gone.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import type { FleetEvent } from '../../src/contract/fleet-event.ts'
import type { HostDetail, HostRow } from '../../src/contract/host.ts'
import {
  type Home,
  joinNode,
  makeHome,
  muster,
  musterJson,
  type Outcome,
  type Served,
  type ServedHub,
  serveHub,
  start,
  until,
} from '../resources/muster.ts'
import { openSshd, type Sshd } from '../resources/sshd.ts'
import { tokenIn } from './bucket/fixture.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))
const kinds = { local: 'local', prod: 'http', box: 'ssh', second: 'tunnel', nightly: 'bucket' } as const
const names = Object.keys(kinds)
const never = ['no-hub', 'no-sshd', 'no-node', 'no-worker']

describe.skipIf(!hasProgram('sshd') || !hasProgram('ssh'))('a hub with a host of every kind', () => {
  const opened = new AsyncDisposableStack()
  let home: Home
  let hub: ServedHub
  let sshd: Sshd
  let others: readonly Served[]
  /** The dead host's unit is waited for as long as a host may be away: two minutes. */
  let survey: Promise<Outcome>

  beforeAll(async () => {
    home = opened.use(await makeHome())
    hub = opened.use(await serveHub(home))
    sshd = opened.use(await openSshd({ address: '127.0.0.6' }))
    others = [await addHttp(), await joinTunnel(), await addBucket()]
    await addSsh()
    await addUnreached()
    await until('all of them are online', async () => {
      const online = (await rows()).filter(({ status }) => status === 'online')
      return online.length === names.length ? true : undefined
    })
    survey = workflow('survey', surveyOf([...names, 'no-hub']))
  })
  afterAll(() => opened.disposeAsync())

  const own = async () => opened.use(await makeHome())
  const rows = async () => (await musterJson<{ hosts: HostRow[] }>(home.path, ['host', 'list'])).hosts
  const show = (name: string) => musterJson<HostDetail>(home.path, ['host', 'show', name])

  async function workflow(name: string, text: string): Promise<Outcome> {
    const file = join(home.path, `${name}.yaml`)
    await writeFile(file, text)
    return muster(home.path, ['workflow', 'run', file, '--json'])
  }

  async function addHttp(): Promise<Served> {
    const far = opened.use(await serveHub(await own()))
    const { token } = await musterJson<{ token: string }>(far.home, ['token', 'create', 'center', '--role', 'operator'])
    await musterJson(home.path, ['host', 'add', 'prod', '--url', far.url, '--token-stdin', '--label', 'zone=eu'], {
      input: token,
    })
    return far
  }

  async function joinTunnel(): Promise<Served> {
    return opened.use(await joinNode(hub, 'second', await own()))
  }

  async function addBucket(): Promise<Served> {
    const dir = join((await own()).path, 'bucket')
    await mkdir(dir)
    const place = ['--bucket', pathToFileURL(dir).href]
    const { command } = await musterJson<{ command: string }>(home.path, ['host', 'add', 'nightly', ...place])
    const env = { MUSTER_TOKEN: tokenIn(command) }
    return opened.use(start((await own()).path, ['node', 'pull', ...place, '--allow', 'runs', '--interval', '300ms'], env))
  }

  async function addSsh(): Promise<void> {
    const far = await own()
    const config = join(home.path, 'ssh_config')
    await writeFile(join(home.path, 'known_hosts'), sshd.known)
    await writeFile(config, sshd.entry('box', [`UserKnownHostsFile ${join(home.path, 'known_hosts')}`]))
    const remote = `MUSTER_HOME=${far.path} ${process.execPath} ${bin}`
    await musterJson(home.path, ['host', 'add', 'box', '--ssh', 'box', '--ssh-config', config, '--remote-command', remote])
  }

  async function addUnreached(): Promise<void> {
    const bare = ['--no-probe']
    await musterJson(home.path, ['host', 'add', 'no-hub', '--url', 'http://127.0.0.1:9', '--token-stdin', ...bare], {
      input: 'none',
    })
    await musterJson(home.path, ['host', 'add', 'no-sshd', '--ssh', 'nobody@127.0.0.1', '--port', '9', ...bare])
    await musterJson(home.path, ['node', 'enroll', 'no-node'])
    await musterJson(home.path, ['host', 'add', 'no-worker', '--bucket', pathToFileURL((await own()).path).href, ...bare])
  }

  it.each(Object.entries(kinds))('%s: all is known of it that a host says of itself', async (name, connector) => {
    const listed = (await rows()).find((row) => row.name === name)
    for (const row of [listed, await show(name)]) {
      expect(row).toMatchObject({
        connector,
        status: 'online',
        versionSkew: 'same',
        lastSeenAt: expect.any(String),
        clockOffsetMs: expect.any(Number),
        labels: name === 'prod' ? { zone: 'eu' } : {},
        info: {
          version: expect.stringMatching(/^\d/),
          platform: process.platform,
          arch: process.arch,
          kinds: expect.arrayContaining(['command']),
          activeRuns: expect.any(Number),
        },
      })
      expect(row?.info?.cores).toBeGreaterThan(0)
      expect(row?.info?.memoryBytes).toBeGreaterThan(2 ** 20)
    }
  })

  it('each has told that its node has started, however it is reached', async () => {
    const events = async () => {
      const { stdout } = await muster(home.path, ['events', '--topic', 'node.started', '--json'])
      return stdout.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as FleetEvent).name]))
    }
    const told = await until('all of them have', async () => {
      const found = await events()
      return names.every((name) => found.includes(name)) ? found : undefined
    })
    expect(told.toSorted()).toEqual(names.toSorted())
  })

  it.each(never)('%s was never reached: nothing of it is shown as a number', async (name) => {
    const row = await show(name)
    const nothing = { status: 'never_seen', since: null, lastSeenAt: null, info: null, versionSkew: null, clockOffsetMs: null }
    expect(row).toMatchObject(nothing)
    const { stdout } = await muster(home.path, ['host', 'show', name])
    const unknown = [
      'machine',
      'version',
      'cores',
      'memory',
      'booted',
      'clock offset',
      'carries',
      'allows',
      'catalog',
      'active runs',
    ]
    for (const field of unknown) expect(stdout).toMatch(new RegExp(`^${field}: +unknown$`, 'm'))
    expect(stdout).toMatch(/^last seen: +never$/m)
    expect((await muster(home.path, ['host', 'list'])).stdout).toMatch(new RegExp(`${name} .* never seen +unknown +unknown`))
  })

  it('a unit that fails on one of them fails the workflow, and those that run on the others are waited for', async () => {
    const text = surveyOf(names).replace('continue_on_error: true', '').replace('echo "here is $HOST"', '[ "$HOST" != prod ]')
    const { code, stdout } = await workflow('strict', text)
    expect(code).toBe(1)
    const states = Object.fromEntries(unitsIn(stdout).map(({ host, state }) => [host, state]))
    expect(states).toEqual({ local: 'succeeded', prod: 'failed', box: 'succeeded', second: 'succeeded', nightly: 'succeeded' })
  })

  it('with continue_on_error a dead host costs its own unit, and a slow one holds up nobody', async () => {
    const { code, stdout } = await survey
    expect({ code, failed: JSON.parse(stdout).run.state }).toEqual({ code: 0, failed: 'succeeded' })
    const units = unitsIn(stdout)
    expect(units.filter(({ state }) => state === 'succeeded').map(({ host }) => host)).toEqual(names)
    expect(units.filter(({ state }) => state !== 'succeeded')).toMatchObject([{ host: 'no-hub', error: { code: 'run.expired' } }])
    for (const { host, run } of units.filter(({ state }) => state === 'succeeded'))
      expect((await muster(home.path, ['run', 'logs', run])).stdout).toBe(`here is ${host}\n`)
    const took = (wanted: string) => units.find(({ host }) => host === wanted)?.durationMs ?? Number.NaN
    expect(took('second')).toBeGreaterThanOrEqual(slowMs)
    expect(Math.max(took('local'), took('prod'), took('box'))).toBeLessThan(slowMs)
  }, 240_000)

  it('gone, they are shown as they last were, with their active runs unknown; local stays', async () => {
    for (const other of others) await other.kill()
    const sessions = await sshd.sessions()
    await sshd.stop()
    for (const pid of sessions) process.kill(pid, 'SIGKILL')
    const gone = names.filter((name) => name !== 'local' && name !== 'nightly')
    await until('those that hold a connection are offline', async () => {
      const away = (await rows()).filter(({ name, status }) => gone.includes(name) && status === 'offline')
      return away.length === gone.length ? true : undefined
    })
    for (const name of gone) {
      const row = await show(name)
      expect(row).toMatchObject({
        status: 'offline',
        since: expect.any(String),
        reason: expect.any(String),
        info: { version: expect.any(String) },
      })
      expect(row.lastSeenAt).not.toBeNull()
      expect((await muster(home.path, ['host', 'show', name])).stdout).toMatch(
        /^active runs: +unknown \(\d+ when it was last asked\)$/m,
      )
    }
    expect(await show('local')).toMatchObject({ status: 'online', probe: { answered: true } })
  })
})

const slowMs = 30_000

function surveyOf(hosts: readonly string[]): string {
  return [
    'name: Everywhere',
    'steps:',
    '  - id: each',
    `    for_each: [${hosts.join(', ')}]`,
    '    host: "{{ item }}"',
    `    max_parallel: ${hosts.length}`,
    '    continue_on_error: true',
    '    env: { HOST: "{{ item }}" }',
    `    shell: 'if [ "$HOST" = second ]; then sleep ${slowMs / 1000}; fi; echo "here is $HOST"'`,
    '',
  ].join('\n')
}

interface Unit {
  readonly host: string
  readonly run: string
  readonly state: string
  readonly durationMs: number | null
  readonly error: { readonly code: string } | null
}

function unitsIn(stdout: string): Unit[] {
  return (JSON.parse(stdout) as { units: Unit[] }).units
}
