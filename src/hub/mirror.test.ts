import { createHash } from 'node:crypto'
import { join } from 'node:path'
import pino from 'pino'
import { expect, test, vi } from 'vitest'
import { listArtifacts, readArtifact } from '../contract/artifact.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import type { JournalEntry } from '../contract/event.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { feedOutput, readOutput } from '../contract/output.ts'
import type { Run } from '../contract/run.ts'
import { encodeRecord } from '../store/output/record.ts'
import { mirrorEntries, outputGaps } from '../store/runs.ts'
import { openMirror } from './mirror.ts'
import { openTestHome } from './test-parts.ts'

const log = pino({ level: 'silent' })
const asker: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(['read']) }
const at = new Date().toISOString()
const accepted: JournalEntry = {
  position: 1,
  run: 'run_1',
  event: { type: 'accepted', seq: 1, at, kind: 'command', title: 'echo', parent: null },
}
const running: JournalEntry = { position: 2, run: 'run_1', event: { type: 'state', seq: 2, at, state: 'running' } }
const ended: JournalEntry = {
  position: 3,
  run: 'run_1',
  event: { type: 'state', seq: 3, at, state: 'succeeded', output: { stdout: 5, stderr: 0 } },
}

test('output whose copy breaks off is copied on over the same link, and a reader who follows gets all of it', async () => {
  await using home = await openTestHome()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store: home.store, log })
  using link = endsAtLast()
  const feeds: number[] = []
  const host = direct(
    implementation(
      implement(feedOutput, async function* ({ after }) {
        feeds.push(after)
        if (after === 0) yield chunk('hel', 0)
        if (feeds.length === 1) throw failure('store.unavailable', { problem: 'the disk is full' })
        yield chunk('lo', 3)
      }),
    ),
    asker,
  )
  const [run] = await mirrorEntries(home.store, 'host_1', [accepted, running, ended])
  if (!run) throw new Error('no run')
  mirror.note('host_1', run, host, link.signal)
  const read: Uint8Array[] = []
  for await (const bytes of direct(mirror.readings('host_1'), asker).bytes(readOutput, { run: 'run_1', follow: true })) {
    read.push(bytes)
  }
  expect(Buffer.concat(read).toString()).toBe('hello')
  expect(feeds).toEqual([0, 1])
})

test('output that its host has numbered anew is copied from the beginning', async () => {
  await using home = await openTestHome()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store: home.store, log })
  using link = endsAtLast()
  const feeds: unknown[] = []
  const host = direct(
    implementation(
      implement(feedOutput, async function* (from) {
        feeds.push(from)
        if (feeds.length === 1) {
          yield chunk('hel', 0)
          throw failure('wire.closed', { reason: 'the host lost power' })
        }
        if (from.after > 0) throw failure('output.changed', { run: 'run_1' })
        yield chunk('hello', 0)
      }),
    ),
    asker,
  )
  const [run] = await mirrorEntries(home.store, 'host_1', [accepted, running, ended])
  if (!run) throw new Error('no run')
  mirror.note('host_1', run, host, link.signal)
  await vi.waitFor(() => expect(feeds).toHaveLength(3), 30_000)
  expect(feeds).toMatchObject([{ after: 0 }, { after: 1, stdout: 3, stderr: 0 }, { after: 0 }])
  const read: Uint8Array[] = []
  for await (const bytes of direct(mirror.readings('host_1'), asker).bytes(readOutput, { run: 'run_1', follow: true })) {
    read.push(bytes)
  }
  expect(Buffer.concat(read).toString()).toBe('hello')
})

test('who waits for the copy to hold a run is told when it does, or leaves when his signal aborts', async () => {
  await using home = await openTestHome()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store: home.store, log })
  using link = endsAtLast()
  const leaving = new AbortController()
  const left = mirror.holds('host_1', 'run_1', leaving.signal)
  const waiting = mirror.holds('host_1', 'run_1', link.signal)
  leaving.abort(failure('call.cancelled'))
  await expect(left).rejects.toMatchObject({ code: 'call.cancelled' })
  const [run] = await mirrorEntries(home.store, 'host_1', [accepted])
  if (!run) throw new Error('no run')
  mirror.note('host_1', run, direct(implementation(), asker), link.signal)
  await waiting
  await mirror.holds('host_1', 'run_1', link.signal)
})

test('artifacts are copied once the end is known, also when the output was whole before, and a run is not done with until then', async () => {
  await using home = await openTestHome()
  await using mirror = openMirror({ dir: join(home.dir, 'mirror'), store: home.store, log })
  using link = endsAtLast()
  const bytes = Buffer.from('kept')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const told = { type: 'artifact.kept' as const, name: 'out/a', bytes: bytes.length, sha256, mtime: at, mode: 0o644 }
  const fed = Promise.withResolvers<void>()
  const host = direct(
    implementation(
      implement(feedOutput, async function* () {
        yield chunk('hello', 0)
        fed.resolve()
      }),
      implement(readArtifact, async function* ({ name, offset }) {
        expect(name).toBe('out/a')
        yield bytes.subarray(offset)
      }),
    ),
    asker,
  )
  const reader = direct(mirror.readings('host_1'), asker)
  const [begun] = await mirrorEntries(home.store, 'host_1', [accepted, running])
  mirror.note('host_1', begun as Run, host, link.signal)
  await fed.promise
  expect(await outputGaps(home.store, 'host_1')).toEqual(['run_1'])
  const [over] = await mirrorEntries(home.store, 'host_1', [
    { position: 3, run: 'run_1', event: { ...told, seq: 3, at } },
    { ...ended, position: 4, event: { ...ended.event, seq: 4 } },
  ])
  mirror.note('host_1', over as Run, host, link.signal)
  await vi.waitUntil(async () => (await outputGaps(home.store, 'host_1')).length === 0, 30_000)
  expect((await reader.call(listArtifacts, { run: 'run_1' })).artifacts).toMatchObject([{ name: 'out/a', here: true }])
})

function chunk(text: string, offset: number): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([encodeRecord({ stream: 'stdout', offset, length: bytes.byteLength, at: 0 }), bytes])
}

function endsAtLast(): Disposable & { signal: AbortSignal } {
  const ending = new AbortController()
  return { signal: ending.signal, [Symbol.dispose]: () => ending.abort() }
}
