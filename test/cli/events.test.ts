// `muster events` with real processes: lines for people and for programs, topics, and a reader who follows through a killed hub.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { FleetEvent } from '../../src/contract/fleet-event.ts'
import { type Running, testHome } from './muster.ts'

const patience = { timeout: 60_000, interval: 100 }

function eventsIn(text: string): FleetEvent[] {
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as FleetEvent)
}

test('events are told in lines, by topic, and on from a number; a reader who follows misses nothing over a killed hub', async () => {
  const home = await testHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  const follower: Running = home.start(['events', '-f', '--json'])
  const seen = () => eventsIn(follower.stdout())
  await vi.waitFor(() => expect(seen().map(({ topic }) => topic)).toContain('node.started'), patience)

  const { pid } = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout)
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(async () => expect((await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])).code).toBe(0), patience)
  await vi.waitFor(() => expect(seen().filter(({ topic }) => topic === 'node.started')).toHaveLength(2), patience)
  expect(seen().map(({ position }) => position)).toEqual(seen().map((_, n) => n + 1))
  follower.child.kill('SIGINT')
  expect((await follower.ended).code).toBe(130)

  const lines = (await home.muster(['events', '--topic', 'hub.*', '--topic', 'host.connected'])).stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toMatch(/^1 20\S+Z hub\.started - version=\S+$/)
  expect(lines[1]).toMatch(/^\d+ 20\S+Z host\.connected local connector=local$/)
  const last = seen().at(-1)?.position ?? 0
  expect((await home.muster(['events', '--after', String(last)])).stdout).toBe('')
  expect(await home.muster(['events', '--after', '999999'])).toMatchObject({
    code: 5,
    stdout: '',
    stderr: expect.stringContaining('newest is'),
  })
  expect(await home.muster(['events', '--topic', 'secret.*'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('its family is none of'),
  })
  const file = join(home.dir, 'events.json')
  await home.muster(['events', '--topic', 'hub.*', '--output', file])
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ events: [{ topic: 'hub.started' }, { topic: 'hub.started' }] })
})

test('a viewer hears of what he may, and not of pairing', async () => {
  const home = await testHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  const { token } = JSON.parse((await home.muster(['token', 'create', 'look', '--json'])).stdout)
  const { url } = JSON.parse((await home.muster(['hub', 'status', '--json'])).stdout)
  const env = { MUSTER_HUB: url, MUSTER_TOKEN: token }
  await vi.waitFor(
    async () => expect((await home.muster(['events'], { env })).stdout).toContain('host.connected local'),
    patience,
  )
  expect(await home.muster(['events', '--topic', 'pairing.*'], { env })).toMatchObject({ code: 3, stdout: '' })
})
