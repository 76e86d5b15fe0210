// A hub or a node that is killed while 100 MB are written: what the host has, the mirror has, and what readers get are the same
// bytes. The readers are started before and left alone: they outlive the hub that they read from.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { asMusterError, exitCode } from '../../src/contract/errors.ts'
import { submitRun } from '../../src/contract/fleet.ts'
import { listHosts } from '../../src/contract/host.ts'
import { followLog, type OutputStream, readOutput } from '../../src/contract/output.ts'
import { getRun, isTerminal } from '../../src/contract/run.ts'
import { pouredBy } from '../programs/pour.ts'
import { until } from '../resources/muster.ts'
import { type Fleet, nodeName, startFleet } from './fleet.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const kills = trials(50, 6)
const streams = ['stdout', 'stderr'] as const
/** Of each stream. */
const streamBytes = 50_000_000
const trialDeadlineMs = 180_000
const program = fileURLToPath(new URL('../programs/pour.ts', import.meta.url))
const muster = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

type Digests = Record<OutputStream, string>
type Victim = 'hub' | 'node'
type Reader = keyof typeof readersByName

it(`${kills} kills during 100 MB of output: host, mirror and readers have the same bytes`, async () => {
  const random = seededRandom()
  await using fleet = await startFleet()
  const host = await hostId(fleet)
  const begunAt = Date.now()
  const victims: Victim[] = random() < 0.5 ? ['hub', 'node'] : ['node', 'hub']
  const killed = { hub: 0, node: 0 }
  const read = { events: 0, bytes: 0, cli: 0 }
  for (let kill = 0; kill < kills; kill++) {
    const victim = victims[kill % 2] as Victim
    const readers = readersOf[kill % readersOf.length] as readonly Reader[]
    await killOnce({ fleet, host, victim, readers, random, why: `kill ${kill + 1} (${victim}) of seed ${seed}` })
    killed[victim] += 1
    for (const reader of readers) read[reader] += 1
  }
  report(
    `output-killed: seed ${seed}, ${kills} kills (${killed.hub} of the hub, ${killed.node} of the node) during ${(2 * streamBytes) / 1e6} MB ` +
      `each: host and mirror alike; readers alike: ${read.events} by events, ${read.bytes} by bytes, ${read.cli} by muster run logs -f; ` +
      `${Math.round((Date.now() - begunAt) / 1000)} s`,
  )
})

/** Reading 100 MB costs more than writing and copying them: each kind of reader has its share of both victims. */
const readersOf: readonly (readonly Reader[])[] = [['events', 'cli'], [], ['bytes']]

interface Trial {
  readonly fleet: Fleet
  readonly host: string
  readonly victim: Victim
  readonly readers: readonly Reader[]
  readonly random: () => number
  readonly why: string
}

async function killOnce({ fleet, host, victim, readers, random, why }: Trial): Promise<void> {
  const output = Math.floor(random() * 2 ** 31)
  const argv = [process.execPath, program, String(output), String(streamBytes)]
  // What was killed last may have had all of its run copied before it came back.
  await fleet.nodeOnline()
  const { id: run } = await fleet.client.hub.call(submitRun, { host: nodeName, spec: { kind: 'command', argv } })
  const atHost = join(fleet.node.home, 'host', 'runs', run)
  const atHub = join(fleet.hub.home, 'hub', 'mirror', host, run)
  const deadline = AbortSignal.timeout(trialDeadlineMs)
  const readings = Promise.allSettled(readers.map((reader) => readersByName[reader](fleet, run, deadline)))

  // Now by what is written, now by what is copied: which of the two is ahead differs from machine to machine.
  const watched = random() < 0.5 ? atHost : atHub
  const instant = random() * 2 * streamBytes
  await until(`${why}: ${watched} grows`, async () => ((await sizeOf(watched)) >= instant ? true : undefined))
  await fleet[victim].kill()
  fleet[victim].start()
  await fleet.hubAnswers()

  const show = () => fleet.client.host(nodeName).call(getRun, { run })
  await until(
    `${why}: the run ends and is copied whole`,
    async () => (isTerminal((await show()).state) && (await sizeOf(atHub)) >= 2 * streamBytes ? true : undefined),
    { log: fleet.node.log },
    trialDeadlineMs,
  )
  const poured = digestsOf(output)
  const written = { stdout: streamBytes, stderr: streamBytes }
  expect(await show(), why).toMatchObject({ state: 'succeeded', output: written, unreachableSince: null })
  expect(await digestFiles(atHost), `${why}: at the host`).toEqual(poured)
  expect(await digestFiles(atHub), `${why}: at the hub`).toEqual(poured)
  for (const [i, reading] of (await readings).entries())
    expect(reading, `${why}: read by ${readers[i]}`).toEqual({ status: 'fulfilled', value: poured })
  for (const dir of [atHost, atHub]) await rm(dir, { recursive: true })
}

const readersByName = {
  async events({ client }: Fleet, run: string, signal: AbortSignal): Promise<Digests> {
    const hashes = newHashes()
    const host = client.host(nodeName)
    for await (const chunk of onceAnswered(() => host.items(followLog, { run, follow: true }, { signal }))) {
      hashes[chunk.stream].update(chunk.text === undefined ? Buffer.from(chunk.base64 ?? '', 'base64') : chunk.text)
    }
    return digested(hashes)
  },
  async bytes({ client }: Fleet, run: string, signal: AbortSignal): Promise<Digests> {
    const hashes = newHashes()
    const host = client.host(nodeName)
    const read = async (stream: OutputStream) => {
      for await (const part of onceAnswered(() => host.bytes(readOutput, { run, stream, follow: true }, { signal })))
        hashes[stream].update(part)
    }
    await Promise.all(streams.map(read))
    return digested(hashes)
  },
  async cli({ hub }: Fleet, run: string, signal: AbortSignal): Promise<Digests> {
    const env = { ...process.env, MUSTER_HOME: hub.home }
    for (;;) {
      const hashes = newHashes()
      let begun = false
      const child = spawn(process.execPath, [muster, 'run', 'logs', '-f', run], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
      })
      for (const stream of streams) child[stream].on('data', (part: Buffer) => hashes[stream].update(part))
      child.stdout.once('data', () => {
        begun = true
      })
      const [code] = await once(child, 'close')
      // Asked while there was no hub, it says so and leaves; a person asks again.
      if (code === exitCode.unavailable && !begun) continue
      expect(code, 'muster run logs -f').toBe(0)
      return digested(hashes)
    }
  },
}

/** The client goes on by itself with what it has begun to read. Where the hub was killed before its first answer, it is asked anew. */
async function* onceAnswered<T>(read: () => AsyncIterable<T>): AsyncGenerator<T> {
  for (;;) {
    let isAnswered = false
    try {
      for await (const part of read()) {
        isAnswered = true
        yield part
      }
      return
    } catch (error) {
      if (isAnswered || !asMusterError(error).retryable) throw error
      await delay(20)
    }
  }
}

function newHashes() {
  return { stdout: createHash('sha256'), stderr: createHash('sha256') }
}

function digested({ stdout, stderr }: ReturnType<typeof newHashes>): Digests {
  return { stdout: stdout.digest('hex'), stderr: stderr.digest('hex') }
}

function digestsOf(output: number): Digests {
  const hashes = newHashes()
  for (const stream of streams) for (const part of pouredBy(output, stream, streamBytes)) hashes[stream].update(part)
  return digested(hashes)
}

async function digestFiles(dir: string): Promise<Digests> {
  const hashes = newHashes()
  for (const stream of streams) for await (const part of createReadStream(join(dir, stream))) hashes[stream].update(part)
  return digested(hashes)
}

/** Of both streams together; nothing where there is no file yet. */
async function sizeOf(dir: string): Promise<number> {
  const sizes = await Promise.all(streams.map((stream) => stat(join(dir, stream)).catch(() => ({ size: 0 }))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}

async function hostId({ client }: Fleet): Promise<string> {
  const { hosts } = await client.hub.call(listHosts, {})
  return hosts.find(({ name }) => name === nodeName)?.id as string
}
