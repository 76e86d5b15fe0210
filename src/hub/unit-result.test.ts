import { expect, test } from 'vitest'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { readOutput } from '../contract/output.ts'
import { getRun, type Run } from '../contract/run.ts'
import { unitResult } from './unit-result.ts'

const hub: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(['read']) }
const at = '2026-01-01T00:00:00.000Z'
const ended: Run = {
  id: 'run_a',
  host: 'box',
  kind: 'command',
  state: 'succeeded',
  title: 'a',
  parent: null,
  createdAt: at,
  startedAt: at,
  endedAt: at,
  pid: null,
  exit: { code: 0, signal: null },
  error: null,
  output: { stdout: 3, stderr: 0 },
  lastEvent: 3,
  unreachableSince: null,
}

/** A host whose output is answered as `read` says. */
function unitOf(read: (signal: AbortSignal) => AsyncIterable<Uint8Array>, more: { signal?: AbortSignal; waitMs?: number } = {}) {
  const offers = implementation(
    implement(getRun, async () => ended),
    implement(readOutput, (_input, { signal }) => read(signal)),
  )
  const { signal = new AbortController().signal, waitMs = 60_000 } = more
  return { caller: direct(offers, hub), run: 'run_a', host: 'box', signal, waitMs }
}

/** Output that never comes: its host is away, and the copy waits for it. */
async function* never(signal: AbortSignal): AsyncIterable<Uint8Array> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  yield new Uint8Array()
}

test('a host that goes away as its unit ends is asked again, and the unit has its own result', async () => {
  let asked = 0
  const unit = unitOf(async function* () {
    if (asked++ === 0) throw failure('host.offline', { host: 'box', reason: 'it was restarted' })
    yield Buffer.from('out')
  })
  expect(await unitResult(unit)).toEqual({ run: ended, stdout: 'out' })
  expect(asked).toBe(2)
})

test('what is wrong for good is told at once', async () => {
  const unit = unitOf(async function* () {
    yield Buffer.from('o')
    throw failure('run.unknown', { run: 'run_a' })
  })
  await expect(unitResult(unit)).rejects.toMatchObject({ code: 'run.unknown' })
})

test('a host that stays away is not waited for without end, and never taken for one that wrote nothing', async () => {
  await expect(unitResult(unitOf(never, { waitMs: 50 }))).rejects.toMatchObject({ code: 'output.late' })
})

test('who waits leaves with the reason of its signal', async () => {
  const leaving = new AbortController()
  const result = unitResult(unitOf(never, { signal: leaving.signal }))
  leaving.abort(failure('run.ended', { run: 'run_a', state: 'cancelled' }))
  await expect(result).rejects.toMatchObject({ code: 'run.ended' })
})
