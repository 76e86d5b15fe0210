// The disk of a hub or of a node is full, for a while. Whoever asks hears so, with the folder and what to do; what was accepted and
// what was written is there when there is room again, and nobody has to start anything anew.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findRun, listFleetRuns, submitRun } from '../../src/contract/fleet.ts'
import { readOutput } from '../../src/contract/output.ts'
import type { Run } from '../../src/contract/run.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { joinNode, makeHome, muster, serveHub, start, until } from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'
import { canMount, makeSmallDisk } from './small-disk.ts'
import { report } from './trials.ts'

const writeOn = fileURLToPath(new URL('../programs/write-on.mjs', import.meta.url))
const diskMiB = 16
const deadlineMs = 120_000

/** Folder for what a command tells past its own disk. */
async function notes(): Promise<{ file: (name: string) => string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-notes-'))
  return {
    file: (name) => join(dir, name),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  }
}

function submit(client: HubClient, host: string, argv: readonly string[], key?: string): Promise<Run> {
  const spec = { kind: 'command' as const, argv: [...argv] }
  return client.hub.call(submitRun, { host, spec, ...(key !== undefined && { key }) })
}

/** Of a run that has ended: all of it, as soon as it is here. */
async function outputOf(client: HubClient, host: string, run: string, follow = true): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of client.host(host).bytes(readOutput, { run, stream: 'stdout', follow })) parts.push(part)
  return Buffer.concat(parts)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function integrityOf(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return database.prepare('pragma integrity_check').all()
  } finally {
    database.close()
  }
}

const whole = [expect.objectContaining({ integrity_check: 'ok' })]
/** 300 kB that differ in each place. */
const numbers = ['sh', '-c', 'seq 1 50000']

test.skipIf(!canMount)(
  'a node whose disk is full says so, takes up what waited when there is room, and has lost nothing',
  async () => {
    await using hubHome = await makeHome()
    await using disk = makeSmallDisk(diskMiB)
    await using aside = await notes()
    await using hub = await serveHub(hubHome)
    await using node = await joinNode(hub, 'box', disk)
    using client = await clientOf(hub)

    const before = await endOf(client, (await submit(client, 'box', numbers)).id)
    const bytesBefore = sha256(await outputOf(client, 'box', before.id))
    const chatty = await submit(client, 'box', ['node', writeOn, aside.file('stop'), aside.file('report')])
    await until('it writes', async () => ((await outputSoFar(client, chatty.id)) > 0 ? true : undefined))

    disk.fill()
    await using asked = start(hub.home, ['exec', 'box', '--', 'echo', 'at last'])
    const accepted = await Promise.all(
      Array.from({ length: 8 }, (_, n) => submit(client, 'box', ['echo', `waited ${n}`], `waiting-${n}`)),
    )
    const [waiting] = accepted as [Run]
    const told = await until('it is said why it waits', async () => {
      const run = await client.hub.call(findRun, { run: waiting.id })
      return run.error === null ? undefined : run
    })
    expect(told).toMatchObject({
      // It is tried again each second.
      state: expect.stringMatching(/queued|claimed/),
      error: {
        code: 'store.unavailable',
        message: expect.stringMatching(new RegExp(`^${disk.path}/host.* cannot be written: .*full`)),
        hint: expect.stringContaining(`df -h ${disk.path}/host`),
      },
    })
    const shown = await muster(hub.home, ['run', 'show', waiting.id])
    expect(shown.stdout).toMatch(/state: +(?:queued|claimed)[\s\S]*error: .*full[\s\S]*hint: .*df -h/)
    expect((await muster(hub.home, ['host', 'list'])).stdout).toMatch(/box .*online/)
    expect(node.log().match(/cannot write its store/g)).toHaveLength(1)
    await until('the command has met the full disk itself', async () =>
      existsSync(`${aside.file('report')}.refused`) ? true : undefined,
    )

    await until('whoever waits at a terminal is told why', async () =>
      /box does not take run_\S+ now: .*host\.db cannot be written/.test(asked.log()) ? true : undefined,
    )

    disk.free()
    for (const { id } of accepted) expect(await endOf(client, id, deadlineMs)).toMatchObject({ state: 'succeeded', error: null })
    for (const [n, { id }] of accepted.entries()) expect(String(await outputOf(client, 'box', id))).toBe(`waited ${n}\n`)
    expect(await asked.ended).toEqual([0, null])
    expect(asked.log()).toMatch(/^at last$/m)
    expect(node.log()).toContain('can write its store again')

    await writeFile(aside.file('stop'), '')
    const { taken, failed } = JSON.parse(await fileOnce(aside.file('report'))) as { taken: number; failed: number }
    expect(failed).toBeGreaterThan(0)
    const ended = await endOf(client, chatty.id)
    expect(ended).toMatchObject({ state: 'succeeded', error: { code: 'run.disk_full' }, output: { stdout: taken } })
    const output = await outputOf(client, 'box', chatty.id)
    expect(output.length).toBe(taken)
    expect(
      output.every(
        (byte, at) =>
          byte ===
          '0123456789abcdef'
            .repeat(256)
            .concat('\n')
            .charCodeAt(at % 4097),
      ),
    ).toBe(true)

    expect(sha256(await outputOf(client, 'box', before.id))).toBe(bytesBefore)
    expect(integrityOf(join(disk.path, 'host', 'host.db'))).toEqual(whole)
    report(`disk-full: node; the command's own writes refused ${failed} times, ${taken} bytes taken and copied`)
  },
)

test.skipIf(!canMount)(
  'a hub whose disk is full refuses what it cannot keep, and its copies catch up when there is room',
  async () => {
    await using disk = makeSmallDisk(diskMiB)
    await using nodeHome = await makeHome()
    await using aside = await notes()
    await using hub = await serveHub(disk)
    await using _node = await joinNode(hub, 'box', nodeHome)
    using client = await clientOf(hub)

    const before = await endOf(client, (await submit(client, 'box', numbers)).id)
    const bytesBefore = sha256(await outputOf(client, 'box', before.id))
    // Writes 2 MB before, 2 MB while the disk is full, and ends then.
    const later = `seq 1 300000; while [ ! -e ${aside.file('go')} ]; do sleep 0.1; done; seq 300001 600000; touch ${aside.file('done')}`
    const copied = await submit(client, 'box', ['sh', '-c', later])
    const workflow = `name: slow\nsteps:\n${['one', 'two', 'three'].map((id) => `  - { id: ${id}, host: box, run: [sleep, '1'] }\n`).join('')}`
    await writeFile(aside.file('slow.yaml'), workflow)
    await until('its first half is copied', async () => ((await outputSoFar(client, copied.id)) > 1_900_000 ? true : undefined))
    const steps = muster(hub.home, ['workflow', 'run', aside.file('slow.yaml')])
    await until('the workflow runs', async () => {
      const { runs } = await client.hub.call(listFleetRuns, { kind: 'workflow' })
      return runs.some(({ state }) => state === 'running') ? true : undefined
    })

    disk.fill()
    await writeFile(aside.file('go'), '')
    await until('the command has ended', async () => (existsSync(aside.file('done')) ? true : undefined))
    const full = expect.stringMatching(new RegExp(`${disk.path}/hub/hub\\.db cannot be written: .*full`))
    await expect(submit(client, 'box', ['true'])).rejects.toMatchObject({ code: 'store.unavailable', message: full })
    const refused = await muster(hub.home, ['exec', 'box', '--', 'true'])
    expect(refused).toMatchObject({ code: 255, stderr: full })
    expect(refused.stderr).toContain(`df -h ${disk.path}/hub/hub.db`)
    const status = await muster(hub.home, ['hub', 'status'])
    expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/not ready: .*hub\.db cannot be written/) })
    // Looking works.
    expect((await muster(hub.home, ['run', 'list'])).stdout).toContain(before.id)
    expect(sha256(await outputOf(client, 'box', before.id))).toBe(bytesBefore)
    expect((await muster(hub.home, ['doctor'])).stdout).toMatch(/fail {2}disk/)

    disk.free()
    const ended = await endOf(client, copied.id, deadlineMs)
    expect(ended).toMatchObject({ state: 'succeeded', error: null })
    const expected = Buffer.from(Array.from({ length: 600_000 }, (_, n) => `${n + 1}\n`).join(''))
    expect(sha256(await outputOf(client, 'box', copied.id))).toBe(sha256(expected))
    expect(await steps).toMatchObject({ code: 0 })
    expect(await endOf(client, (await submit(client, 'box', ['true'])).id)).toMatchObject({ state: 'succeeded' })
    expect(hub.log()).toMatch(/the hub cannot write its store[\s\S]*the hub can write its store again/)

    // Killed on a full disk, it does not come back without room; then it does, with everything.
    const { runs } = await client.hub.call(listFleetRuns, {})
    disk.fill()
    await hub.kill()
    expect(await muster(disk.path, ['hub', 'start', '--bind', '127.0.0.1:0'])).toMatchObject({
      code: 8,
      stderr: expect.stringMatching(new RegExp(`${disk.path} cannot be used: its disk is full[\\s\\S]*hint: `)),
    })
    disk.free()
    await using again = await serveHub(disk, { bind: new URL(hub.url).host })
    using asked = await clientOf(again)
    const { runs: after } = await asked.hub.call(listFleetRuns, {})
    expect(after.map(({ id, state }) => ({ id, state }))).toEqual(runs.map(({ id, state }) => ({ id, state })))
    for (const file of ['hub/hub.db', 'host/host.db']) expect(integrityOf(join(disk.path, file))).toEqual(whole)
  },
)

test.skipIf(!canMount)(
  'a command that fills the disk itself is told so by the system, and its run says that output is missing',
  async () => {
    await using disk = makeSmallDisk(diskMiB)
    await using hub = await serveHub(disk)
    using client = await clientOf(hub)
    disk.fill(4 * 1024 * 1024)
    const pouring = await submit(client, 'local', ['sh', '-c', "head -c 8000000 /dev/zero | tr '\\0' x"])
    await until('the disk is full', async () => {
      const { stdout } = await muster(hub.home, ['hub', 'status'])
      return stdout.includes('not ready') ? true : undefined
    })
    disk.free()
    const ended = await endOf(client, pouring.id, deadlineMs)
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'run.disk_full', hint: expect.stringContaining('df -h') } })
    const kept = await outputOf(client, 'local', pouring.id)
    expect(kept.length).toBe(ended.output.stdout)
    expect(kept.length).toBeGreaterThan(3_000_000)
    expect(kept.every((byte) => byte === 120)).toBe(true)
    expect((await muster(hub.home, ['run', 'show', pouring.id])).stdout).toMatch(/error: .*was full while run/)
  },
)

async function outputSoFar(client: HubClient, run: string): Promise<number> {
  return (await outputOf(client, 'box', run, false)).length
}

function fileOnce(file: string): Promise<string> {
  return until(`${file} is there`, () => readFile(file, 'utf8').catch(() => undefined))
}
