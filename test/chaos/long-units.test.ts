// Units that are quiet for longer than any limit in the product, on hosts of every kind. Hub, nodes, worker and the other hub live by clocks
// that run 12 times as fast: each deadline, lease, look and keepalive of theirs comes round as in 12 minutes. Commands keep the true time.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import type { HostRow } from '../../src/contract/host.ts'
import type { Run } from '../../src/contract/run.ts'
import { tokenIn } from '../connectors/bucket/fixture.ts'
import { joinNode, makeHome, muster, musterJson, serveHub, start, until } from '../resources/muster.ts'
import { openSshd } from '../resources/sshd.ts'
import { canFakeTime, fastClock } from './fake-time.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))
const times = 12
const seconds = 65
/** The longest is a call's that is forwarded to a host: 11 minutes. */
const longestLimitMs = 11 * 60_000
const hosts = ['local', 'prod', 'box', 'second', 'nightly']

test.skipIf(!canFakeTime || !hasProgram('sshd'))(
  'no limit of a poll, a call or a connection ends a quiet unit that outlasts them all',
  async () => {
    const clock = await fastClock()
    const { env } = clock
    await using opened = new AsyncDisposableStack()
    opened.use(clock)
    const own = async () => opened.use(await makeHome())
    const home = await own()
    const hub = opened.use(await serveHub(home, { env }))
    const add = <T>(name: string, ...options: string[]) => musterJson<T>(home.path, ['host', 'add', name, ...options])

    const far = opened.use(await serveHub(await own(), { env }))
    const { token } = await musterJson<{ token: string }>(far.home, ['token', 'create', 'center', '--role', 'operator'])
    const input = { input: token }
    await musterJson(home.path, ['host', 'add', 'prod', '--url', far.url, '--token-stdin', '--no-probe'], input)

    const sshd = opened.use(await openSshd({ address: '127.0.0.7' }))
    const config = join(home.path, 'ssh_config')
    await writeFile(join(home.path, 'known_hosts'), sshd.known)
    await writeFile(config, sshd.entry('box', [`UserKnownHostsFile ${join(home.path, 'known_hosts')}`]))
    const fast = Object.entries(env).map(([name, value]) => `${name}='${value}'`)
    const remote = [...fast, `MUSTER_HOME=${(await own()).path}`, process.execPath, bin].join(' ')
    await add('box', '--ssh', 'box', '--ssh-config', config, '--remote-command', remote, '--no-probe')

    opened.use(await joinNode(hub, 'second', await own(), { env }))

    const dir = join((await own()).path, 'bucket')
    await mkdir(dir)
    const place = ['--bucket', pathToFileURL(dir).href]
    const { command } = await add<{ command: string }>('nightly', ...place)
    const worker = ['node', 'pull', ...place, '--allow', 'runs', '--interval', '10s']
    opened.use(start((await own()).path, worker, { ...env, MUSTER_TOKEN: tokenIn(command) }))
    await until('all are online', async () => {
      const { hosts: rows } = await musterJson<{ hosts: HostRow[] }>(home.path, ['host', 'list'])
      return rows.every(({ status }) => status === 'online') ? true : undefined
    })

    // What starts a program is given seconds for it, which would be no time at all.
    for (const host of hosts) expect(await muster(home.path, ['exec', host, '--', 'true'])).toMatchObject({ code: 0 })
    // To a hub whose ten seconds are less than one, a command line that is slow to speak is one that has gone.
    const asked = (args: readonly string[]) =>
      until(`the hub answers ${args.join(' ')}`, async () => {
        const { code, stdout } = await muster(home.path, args)
        return code === 0 ? stdout : undefined
      })
    const clocks = async () => {
      const shown = await Promise.all(hosts.map((host) => asked(['host', 'show', host, '--json'])))
      return new Map(
        shown.map((text) => JSON.parse(text) as HostRow).map(({ name, info }) => [name, Date.parse(info?.clock ?? '')]),
      )
    }
    const file = join(home.path, 'long.yaml')
    await writeFile(
      file,
      [
        'name: Long',
        'steps:',
        '  - id: quiet',
        `    for_each: [${hosts.join(', ')}]`,
        '    host: "{{ item }}"',
        `    max_parallel: ${hosts.length}`,
        `    shell: sleep ${seconds}; echo done`,
        '',
      ].join('\n'),
    )
    const { id } = (JSON.parse(await asked(['workflow', 'run', file, '--detach', '--json'])) as { run: Run }).run
    const units = async () => (JSON.parse(await asked(['run', 'list', '--parent', id, '--json'])) as { runs: Run[] }).runs
    await until('all units run', async () => {
      const running = (await units()).filter(({ state }) => state === 'running')
      return running.length === hosts.length ? true : undefined
    })
    const before = await clocks()
    clock.run(times)
    const ended = await until(
      'the workflow ends',
      async () => {
        const now = JSON.parse(await asked(['run', 'show', id, '--json'])) as Run
        return now.endedAt === null ? undefined : now
      },
      undefined,
      240_000,
    )
    const carried = (await units()).toSorted((a, b) => hosts.indexOf(a.host) - hosts.indexOf(b.host))
    expect(ended).toMatchObject({ state: 'succeeded', error: null })
    expect(carried.map(({ host, state }) => [host, state])).toEqual(hosts.map((host) => [host, 'succeeded']))
    const after = await clocks()
    for (const { host, id: run } of carried) {
      expect((after.get(host) ?? 0) - (before.get(host) ?? 0), host).toBeGreaterThan(longestLimitMs)
      expect(await asked(['run', 'logs', run]), host).toBe('done\n')
    }
  },
)
