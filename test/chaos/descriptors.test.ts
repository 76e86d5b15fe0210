// A hub and a node that may have 256 files and connections open, flooded with more: whoever comes too late hears why and what to do,
// what was accepted is carried, and all is as before once the flood has ended.

import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFailed, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { findRun, submitRun } from '../../src/contract/fleet.ts'
import { listHosts } from '../../src/contract/host.ts'
import { readOutput } from '../../src/contract/output.ts'
import type { Run } from '../../src/contract/run.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { joinNode, makeHome, muster, serveHub, until } from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'
import { report } from './trials.ts'

const limit = 256
const limited = ['prlimit', `--nofile=${limit}:${limit}`]
const deadlineMs = 180_000

/** Connections that ask nothing; disposing ends those that are left. */
async function flood(url: string, count: number): Promise<{ readonly open: number } & Disposable> {
  const { hostname, port } = new URL(url)
  const open = new Set<Socket>()
  const settled = Array.from({ length: count }, () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = connect(Number(port), hostname)
    open.add(socket)
    socket.on('connect', () => resolve())
    // Refused or reset: what this test is about.
    socket.on('error', () => resolve())
    socket.on('close', () => open.delete(socket))
    return promise
  })
  await Promise.all(settled)
  return {
    get open() {
      return open.size
    },
    [Symbol.dispose]: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

const submit = (client: HubClient, host: string, argv: readonly string[], stdin?: 'open'): Promise<Run> =>
  client.hub.call(submitRun, { host, spec: { kind: 'command', argv: [...argv], ...(stdin && { stdin }) } })

async function outputOf(client: HubClient, { host, id }: Run): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of client.host(host).bytes(readOutput, { run: id, stream: 'stdout', follow: true })) parts.push(part)
  return String(Buffer.concat(parts))
}

/** What a reader got, or the code of what it was told instead. */
async function readingOf(client: HubClient, run: Run): Promise<{ text?: string; code?: string }> {
  try {
    return { text: await outputOf(client, run) }
  } catch (error) {
    return { code: asMusterError(error).code }
  }
}

test.skipIf(!hasProgram('prlimit'))(
  'a flood of connections is refused with the way out, and costs no run and no host',
  async () => {
    await using home = await makeHome()
    await using nodeHome = await makeHome()
    await using hub = await serveHub(home, { under: limited })
    await using node = await joinNode(hub, 'box', nodeHome, { under: limited })
    expect(hub.log()).toMatch(/"limit":256.*few files and connections/)
    const local = connectHub({ socketPath: join(home.path, 'hub', 'hub.sock') })
    const { hosts } = await local.hub.call(listHosts, {})
    {
      using connections = await flood(hub.url, 400)
      // In the first moments even those that wait to be refused are too many.
      const refused = await until('there is room to refuse', () => fetch(`${hub.url}/healthz`).catch(() => undefined))
      expect(refused.status).toBe(503)
      expect(await refused.json()).toMatchObject({
        code: 'process.descriptors',
        retryable: true,
        hint: expect.stringContaining('ulimit -n'),
      })
      const asked = await muster(home.path, ['host', 'list'], { env: { MUSTER_HUB: hub.url, MUSTER_TOKEN: 'a-token-of-nobody' } })
      expect(asked).toMatchObject({
        code: 8,
        stderr: expect.stringMatching(/as many files and connections open[\s\S]*hint: .*ulimit -n/),
      })

      const runs = await Promise.all(
        Array.from({ length: 20 }, (_, n) => submit(local, n % 2 ? 'box' : 'local', ['echo', `${n}`])),
      )
      for (const [n, run] of runs.entries()) {
        expect(await endOf(local, run.id)).toMatchObject({ state: 'succeeded' })
        expect(await outputOf(local, run)).toBe(`${n}\n`)
      }
      expect((await muster(home.path, ['exec', 'box', '--', 'echo', 'through'])).stdout).toBe('through\n')
      expect(connections.open).toBeGreaterThan(50)
    }
    await until('it answers again', async () => ((await fetch(`${hub.url}/healthz`)).ok ? true : undefined))
    const after = await local.hub.call(listHosts, {})
    expect(after.hosts.map(({ since }) => since)).toEqual(hosts.map(({ since }) => since))
    expect(hub.log().match(/connections are refused/g)).toHaveLength(1)
    expect(node.log()).not.toMatch(/not connected to the hub/)
    local.close()
  },
)

test.skipIf(!hasProgram('prlimit'))(
  'more runs and readers at once than there are descriptors: each run is carried or says why not',
  async () => {
    await using home = await makeHome()
    await using nodeHome = await makeHome()
    const dir = await mkdtemp(join(tmpdir(), 'muster-flood-'))
    await using _dir = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
    const go = join(dir, 'go')
    execFileSync('mkfifo', [go])
    await using hub = await serveHub(home, { under: limited })
    await using node = await joinNode(hub, 'box', nodeHome, { under: limited })
    using client = await clientOf(hub)
    onTestFailed(() => console.log(`the hub's log:\n${hub.log()}\nthe node's log:\n${node.log()}`))
    const count = 260
    const first = await endOf(client, (await submit(client, 'box', ['echo', 'before'])).id)
    const runs: Run[] = []
    for (let n = 0; n < count; n++) {
      // An open standard input is one descriptor for as long as it runs, whatever else its keeper manages without.
      runs.push(await submit(client, 'box', ['sh', '-c', `echo run ${n}; read line < ${go}; echo over ${n}`], 'open'))
    }
    const readers = runs.slice(0, 30).map((run) => readingOf(client, run))
    for (const { id } of runs) {
      await until(`${id} has begun or ended`, async () => {
        const { state } = await client.hub.call(findRun, { run: id })
        return ['queued', 'claimed', 'starting'].includes(state) ? undefined : true
      })
    }
    await writeFile(go, '')
    const ends: Run[] = []
    for (const { id } of runs) ends.push(await endOf(client, id, deadlineMs))
    const carried = ends.filter(({ state }) => state === 'succeeded')
    const refused = ends.filter(({ state }) => state === 'failed')
    expect(carried.length + refused.length).toBe(count)
    expect(carried.length).toBeGreaterThan(0)
    expect(refused.length).toBeGreaterThan(0)
    for (const { error } of refused) {
      expect(error).toMatchObject({ code: 'process.descriptors', hint: expect.stringContaining('ulimit -n') })
    }
    for (const [n, run] of ends.entries()) {
      if (run.state === 'succeeded') expect(await outputOf(client, run)).toBe(`run ${n}\nover ${n}\n`)
    }
    for (const [n, reading] of (await Promise.all(readers)).entries()) {
      const { state } = ends[n] as Run
      if (reading.code === undefined) expect(reading.text).toBe(state === 'succeeded' ? `run ${n}\nover ${n}\n` : '')
      else expect(reading.code).toBe('process.descriptors')
    }
    expect(await outputOf(client, first)).toBe('before\n')
    expect((await muster(home.path, ['exec', 'local,box', '--', 'true'])).code).toBe(0)
    for (const { pid } of [hub, node]) expect(() => process.kill(pid, 0)).not.toThrow()
    report(
      `descriptors: of ${count} runs at once with ${limit} descriptors, ${carried.length} were carried, ${refused.length} refused`,
    )
  },
)
