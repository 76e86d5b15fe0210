// Readers of a 1 GB output that read slowly or not at all: what each costs the hub in memory, for a run of the hub's own host and for
// one that it mirrors, as raw bytes and as server-sent events. What the system's socket buffers hold is not the hub's.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { submitRun } from '../../src/contract/fleet.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { joinNode, makeHome, musterJson, type ServedHub, serveHub } from '../resources/muster.ts'
import { clientOf, endOf } from './client.ts'
import { inspected, type MemoryGauge, openMemoryGauge } from './inspected.ts'
import { report } from './trials.ts'

const readers = 20
const mostBytesEach = 1024 ** 2
/** Of events, what is resident is in part what the allocator keeps of texts that were let go, and no reader's. */
const mostResidentBytesEach = { bytes: mostBytesEach, events: 2 * mostBytesEach }
const everyMs = 250
const forms = { bytes: 'output', events: 'log' } as const
type Form = keyof typeof forms
type Pace = 'slowly' | 'never'

const gibi = 1024 ** 3
/** Enough to fill what the system holds for a reader many times over. */
const muchBytes = 64 * 1024 ** 2
const outputs = {
  'text of this machine': { host: 'local', bytes: gibi, source: `yes 'a line of a chatty program, neither short nor long'` },
  'text of another machine': {
    host: 'mirrored',
    bytes: gibi,
    source: `yes 'a line of a chatty program, neither short nor long'`,
  },
  // What costs most as JSON and in memory: zeros, and text of which every character is held in two bytes because of one.
  zeros: { host: 'local', bytes: muchBytes, source: 'cat /dev/zero' },
  'text with a smile': { host: 'local', bytes: muchBytes, source: `yes 'a line that ends with a smile 🙂'` },
} as const
type Output = keyof typeof outputs

describe('a slow reader', () => {
  const opened = new AsyncDisposableStack()
  const runs = new Map<Output, string>()
  let hub: ServedHub
  let memory: MemoryGauge
  let token: string

  beforeAll(async () => {
    hub = opened.use(await serveHub(opened.use(await makeHome()), { env: inspected }))
    opened.use(await joinNode(hub, 'mirrored', opened.use(await makeHome())))
    memory = opened.use(await openMemoryGauge(hub))
    token = (await musterJson<{ token: string }>(hub.home, ['token', 'create', 'reader'])).token
    using client = await clientOf(hub)
    const names = Object.keys(outputs) as Output[]
    await Promise.all(names.map(async (name) => runs.set(name, await writeOut(client, name))))
    // What the first readers load is no reader's cost.
    for (const form of Object.keys(forms) as Form[]) await costOf('zeros', form, 'slowly')
  }, 300_000)
  afterAll(() => opened.disposeAsync())

  it.each<[Output, Form, Pace]>([
    ['text of this machine', 'bytes', 'slowly'],
    ['text of this machine', 'bytes', 'never'],
    ['text of this machine', 'events', 'slowly'],
    ['text of this machine', 'events', 'never'],
    ['text of another machine', 'bytes', 'slowly'],
    ['text of another machine', 'bytes', 'never'],
    ['text of another machine', 'events', 'slowly'],
    ['text of another machine', 'events', 'never'],
    ['zeros', 'events', 'never'],
    ['text with a smile', 'events', 'never'],
  ])('of %s, as %s, that reads %s costs the hub at most 1 MiB', async (output, form, pace) => {
    const { usedBytes, residentBytes } = await costOf(output, form, pace)
    report(
      `a reader of ${output} as ${form} that reads ${pace}: ${kib(usedBytes)} in use, ${kib(residentBytes)} resident (mean of ${readers})`,
    )
    expect(usedBytes).toBeLessThan(mostBytesEach)
    expect(residentBytes).toBeLessThan(mostResidentBytesEach[form])
  })

  async function costOf(output: Output, form: Form, pace: Pace) {
    const before = await memory.atRest()
    const sockets = await Promise.all(Array.from({ length: readers }, () => openReader(output, form)))
    const timer = setInterval(() => {
      if (pace === 'slowly') for (const socket of sockets) socket.read()
    }, everyMs)
    try {
      const after = await memory.atRest()
      return {
        usedBytes: (after.usedBytes - before.usedBytes) / readers,
        residentBytes: (after.residentBytes - before.residentBytes) / readers,
      }
    } finally {
      clearInterval(timer)
      for (const socket of sockets) socket.destroy()
    }
  }

  /** A connection on which an answer has begun, of which no more is read than the test asks for: 64 KiB at a time. */
  async function openReader(output: Output, form: Form): Promise<Socket> {
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    const head = [
      `GET /api/v1/hosts/${outputs[output].host}/runs/${runs.get(output)}/${forms[form]}?follow=true HTTP/1.1`,
      `Host: ${hostname}`,
      `Authorization: Bearer ${token}`,
      'Accept: text/event-stream',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    await once(socket, 'readable')
    expect(String(socket.read())).toMatch(/^HTTP\/1\.1 20[06] /)
    return socket
  }
})

async function writeOut(client: HubClient, output: Output): Promise<string> {
  const { host, bytes, source } = outputs[output]
  const argv = ['/bin/sh', '-c', `${source} | head -c ${bytes}`]
  const { id } = await client.hub.call(submitRun, { host, spec: { kind: 'command', argv } })
  expect(await endOf(client, id, 180_000)).toMatchObject({ state: 'succeeded', output: { stdout: bytes } })
  return id
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`
}
