import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listArtifacts, readArtifact } from '../contract/artifact.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import type { EventBody } from '../contract/event.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { artifactReadings } from '../store/artifact-readings.ts'
import { artifactFile } from '../store/artifacts.ts'
import { mirrorEntries } from '../store/runs.ts'
import { copyArtifacts } from './artifact-copy.ts'
import { openTestHome } from './test-parts.ts'

const asker: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(['read']) }
const never = new AbortController().signal
const at = new Date().toISOString()
const good = Buffer.from('0123456789')
const sha256 = createHash('sha256').update(good).digest('hex')
const told = { name: 'out/a', bytes: good.length, sha256, mtime: at, mode: 0o644 }

/** A mirror that was told of one artifact, and a host that gives what `give` says, from an offset on. */
async function mirrored(give: (offset: number, asked: number) => AsyncGenerator<Uint8Array>) {
  const home = await openTestHome()
  const bodies: EventBody[] = [
    { type: 'accepted', kind: 'command', title: 'x', parent: null },
    { type: 'artifact.kept', ...told },
    { type: 'artifact.refused', name: 'b', reason: 'no file matches it' },
    { type: 'state', state: 'failed' },
  ]
  const entries = bodies.map((body, i) => ({ position: i + 1, run: 'run_1', event: { ...body, seq: i + 1, at } }))
  await mirrorEntries(home.store, 'host_1', entries)
  const dir = join(home.dir, 'run_1')
  const asked: number[] = []
  const host = direct(
    implementation(
      implement(readArtifact, ({ offset }) => {
        asked.push(offset)
        return give(offset, asked.length)
      }),
    ),
    asker,
  )
  const readings = artifactReadings({ store: home.store, host: 'host_1', outputDir: () => dir })
  const reader = direct(implementation(...readings), asker)
  return {
    asked,
    dir,
    copy: (signal = never) =>
      copyArtifacts({ store: home.store, host: 'host_1', run: 'run_1', dir, caller: host, signal, over: never }),
    async isHere() {
      const { artifacts, refused } = await reader.call(listArtifacts, { run: 'run_1' })
      expect(refused).toEqual([{ name: 'b', reason: 'no file matches it' }])
      return artifacts[0]?.here
    },
    async read() {
      const pieces: Uint8Array[] = []
      for await (const piece of reader.bytes(readArtifact, { run: 'run_1', name: 'out/a' })) pieces.push(piece)
      return Buffer.concat(pieces).toString()
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

test('one that is not here yet says so, and a copy that broke off goes on where it was', async () => {
  await using at = await mirrored(async function* (offset, asked) {
    yield good.subarray(offset, offset + 4)
    if (asked === 1) throw failure('wire.closed', { reason: 'the link broke' })
    yield good.subarray(offset + 4)
  })
  await expect(at.copy()).rejects.toMatchObject({ code: 'wire.closed' })
  expect(await at.isHere()).toBe(false)
  await expect(at.read()).rejects.toMatchObject({ code: 'artifact.not_here', retryable: true })
  await at.copy()
  expect(at.asked).toEqual([0, 4])
  expect(await at.isHere()).toBe(true)
  expect(await at.read()).toBe(good.toString())
  await at.copy()
  expect(at.asked).toEqual([0, 4])
})

test('a copy that is interrupted after each byte is whole in the end', async () => {
  let turn = new AbortController()
  await using at = await mirrored(async function* (offset) {
    yield good.subarray(offset, offset + 1)
    turn.abort()
    yield good.subarray(offset + 1)
  })
  for (let asked = 0; !(await at.isHere()); asked++) {
    expect(asked).toBeLessThan(20)
    turn = new AbortController()
    await at.copy(turn.signal).catch((error) => expect(error).toMatchObject({ code: 'call.cancelled' }))
  }
  expect(at.asked.length).toBeGreaterThan(1)
  expect(await at.read()).toBe(good.toString())
})

test('bytes that are not those that were told of are copied again', async () => {
  await using at = await mirrored(async function* (offset, asked) {
    yield asked === 1 ? Buffer.from('9876543210') : good.subarray(offset)
  })
  await at.copy()
  expect(at.asked).toEqual([0, 0])
  expect(await at.read()).toBe(good.toString())
})

for (const [what, bytes] of [
  ['other', Buffer.from('9876543210')],
  ['more', Buffer.from('0123456789!')],
  ['fewer', Buffer.from('012')],
  ['no', Buffer.alloc(0)],
] as const) {
  test(`a host that gives ${what} bytes again and again is given up, and nothing of it is shown`, async () => {
    await using at = await mirrored(async function* (offset) {
      yield bytes.subarray(offset)
    })
    await expect(at.copy()).rejects.toMatchObject({ code: 'artifact.damaged' })
    expect(at.asked.length).toBeLessThanOrEqual(3)
    expect(await at.isHere()).toBe(false)
    expect(await readdir(join(at.dir, 'artifacts'))).toEqual([])
  })
}

test('its file is named by its digest alone', () => {
  expect(artifactFile('/mirror/run', told)).toBe(`/mirror/run/artifacts/${sha256}`)
})
