// A run's artifacts on their way through a bucket: told after all output, in segments of bounded size, gone on with after a kill, and
// whole at the other side.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { listArtifacts, readArtifact } from '../../contract/artifact.ts'
import { direct } from '../../contract/direct.ts'
import { followEvents, type RunEvent } from '../../contract/event.ts'
import { implement, implementation, type Principal } from '../../contract/implementation.ts'
import { feedOutput } from '../../contract/output.ts'
import { temporaryIdentity } from '../../wire/identity.ts'
import { carryRun } from './carry.ts'
import { unseal } from './envelope.ts'
import { openInbox } from './inbox.ts'
import { segmentKey } from './keys.ts'
import { largestObjectBytes, SegmentMessage } from './messages.ts'
import { openNews } from './news.ts'
import type { Objects } from './objects.ts'
import { openWorkerHome } from './worker-home.ts'

const self: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(['read']) }
const log = pino({ level: 'silent' })
const at = '2026-01-01T00:00:00.000Z'
const worker = {
  id: 'f'.repeat(32),
  identity: temporaryIdentity(),
  introduction: Buffer.from('introduced').toString('base64url'),
}
const claimed = { run: 'run_1', fence: 1 }
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** A host whose one run has ended and kept these files; counts the bytes that were read of them. */
function hostWith(files: Readonly<Record<string, Buffer>>) {
  const kept = Object.entries(files).map(([name, bytes]) => ({
    name,
    bytes: bytes.length,
    sha256: sha256(bytes),
    mtime: at,
    mode: 0o644,
  }))
  const events: RunEvent[] = [
    { type: 'accepted', kind: 'command', title: 'x', parent: null },
    { type: 'state', state: 'running' },
    ...kept.map((one) => ({ type: 'artifact.kept' as const, ...one })),
    { type: 'state', state: 'succeeded', output: { stdout: 0, stderr: 0 } },
  ].map((body, i) => ({ ...body, seq: i + 1, at }) as RunEvent)
  const read = { bytes: 0 }
  const caller = direct(
    implementation(
      implement(followEvents, async function* ({ after }) {
        yield* events.filter(({ seq }) => seq > after)
      }),
      implement(feedOutput, async function* () {}),
      implement(listArtifacts, async () => ({ artifacts: kept.map((one) => ({ ...one, here: true })), refused: [] })),
      implement(readArtifact, async function* ({ name, offset }) {
        for (let from = offset; from < (files[name]?.length ?? 0); from += 256 * 1024) {
          const piece = (files[name] as Buffer).subarray(from, from + 256 * 1024)
          read.bytes += piece.length
          yield piece
        }
      }),
    ),
    self,
  )
  return { caller, kept, read }
}

/** A worker's home and the store, which takes so many segments and no more. */
async function place() {
  const dir = await mkdtemp(join(tmpdir(), 'muster-pieces-'))
  const store = new Map<string, Uint8Array>()
  const room = { segments: Infinity }
  const objects: Pick<Objects, 'put'> = {
    async put(key, bytes) {
      if (store.size >= room.segments) throw new Error('no more')
      store.set(key, bytes)
    },
  }
  return {
    dir,
    store,
    room,
    async openWorker() {
      const home = await openWorkerHome(join(dir, 'worker'))
      home.held.set(claimed.run, { fence: 1, nonce: '', renewal: 0, ended: false, asked: [] })
      await home.save()
      return openNews({ objects: objects as Objects, home, host: 'host_1', worker, gatherMs: 1, log })
    },
    segments: () =>
      [...store].map(([key, bytes]) => {
        const found = unseal({ host: 'host_1', key }, bytes)
        return { size: bytes.length, message: SegmentMessage.parse(found?.header), body: found?.body ?? new Uint8Array() }
      }),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

const files = { a: randomBytes(9_000_000), empty: Buffer.alloc(0), z: randomBytes(5_000_000) }

test('a worker that is killed on the way goes on after its last segment, and the hub has all of it', async () => {
  await using at = await place()
  const host = hostWith(files)
  at.room.segments = 2
  const killed = new AbortController()
  const before = await at.openWorker()
  const stopped = before.send(killed.signal)
  carryRun({ ...claimed, input: undefined, begun: () => undefined }, host.caller, before, killed.signal).catch(() => undefined)
  await vi.waitUntil(() => at.store.size === 2, 30_000)
  killed.abort()
  await stopped
  at.room.segments = Infinity
  host.read.bytes = 0

  const over = new AbortController()
  const news = await at.openWorker()
  const sent = news.send(over.signal)
  await carryRun({ ...claimed, input: undefined, begun: () => undefined }, host.caller, news, over.signal)
  await news.settled(over.signal)
  over.abort()
  await sent

  const segments = at.segments()
  const whole = Object.values(files).reduce((sum, { length }) => sum + length, 0)
  const told = segments.flatMap(({ message }) => message.artifacts.map(({ bytes }) => bytes))
  expect(
    told.reduce((sum, bytes) => sum + bytes, 0),
    'no byte is told twice',
  ).toBe(whole)
  expect(host.read.bytes).toBeLessThan(whole)
  expect(Math.max(...segments.map(({ size }) => size))).toBeLessThan(largestObjectBytes / 2)
  const inbox = await openInbox(join(at.dir, 'inbox'), 'host_1')
  for (const { message, body } of segments) {
    const isWhole = inbox.state.runs.run_1?.output.whole ?? false
    expect(isWhole, 'nothing comes after what says that there is no more').toBe(false)
    await inbox.takeIn(worker.id, message, body, () => true)
  }
  expect(inbox.state.runs.run_1?.output.whole).toBe(true)
  for (const [name, bytes] of Object.entries(files)) {
    for (const offset of [0, Math.floor(bytes.length / 2)]) {
      const pieces: Uint8Array[] = []
      for await (const piece of inbox.artifact({ run: 'run_1', name, offset })) pieces.push(piece)
      expect(Buffer.concat(pieces).equals(bytes.subarray(offset)), `${name} from ${offset}`).toBe(true)
    }
  }
  await expect(inbox.artifact({ run: 'run_1', name: 'b', offset: 0 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'artifact.unknown',
  })
})

test('a segment of a worker that knows of no artifacts is read as one without any', () => {
  const { artifacts: _, ...old } = SegmentMessage.parse({
    type: 'segment',
    number: 1,
    events: [],
    outputs: [],
    answers: [],
    told: { run_1: { seq: 3, chunks: 2 } },
  })
  expect(SegmentMessage.parse(old)).toMatchObject({ artifacts: [], told: { run_1: { seq: 3, chunks: 2, artifactBytes: 0 } } })
  expect(segmentKey(worker.id, 1)).toContain(worker.id)
})
