import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ApprovalChange, ApprovalState } from '../../contract/approval.ts'
import type { RunEvent } from '../../contract/event.ts'
import { type Inbox, openInbox } from './inbox.ts'
import { SegmentMessage } from './messages.ts'

const worker = 'f'.repeat(32)
const never = new AbortController().signal

async function openTestInbox(): Promise<{ dir: string; inbox: Inbox }> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-inbox-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return { dir, inbox: await openInbox(dir, 'host_1') }
}

/** One chunk record of standard output. */
function chunk(text: string): Buffer {
  const record = Buffer.alloc(24 + text.length)
  record[0] = 1
  record.writeUInt32BE(text.length, 4)
  record.write(text, 24)
  return record
}

const bodies = [
  { type: 'accepted', kind: 'command', title: 't', parent: null },
  { type: 'state', state: 'running' },
  { type: 'state', state: 'succeeded' },
]

/** Tells of these events of a run (numbered from 1), and of this output. */
function segmentOf(number: number, seqs: readonly number[], output?: { bytes: number; whole: boolean }, run = 'run_1') {
  const claimed = { run, fence: 1 }
  return SegmentMessage.parse({
    type: 'segment',
    number,
    events: seqs.map((seq) => ({ ...claimed, event: { ...bodies[seq - 1], seq, at: '2026-01-01T00:00:00.000Z' } as RunEvent })),
    outputs: output ? [{ ...claimed, after: 0, chunks: 1, ...output }] : [],
    answers: [],
    told: {},
  })
}

async function journalOf(inbox: Inbox, after = 0): Promise<number[]> {
  const seqs: number[] = []
  for await (const { event } of inbox.journal(after, false, never)) seqs.push(event.seq)
  return seqs
}

async function outputOf(inbox: Inbox): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of inbox.feed({ run: 'run_1', after: 0 }, never)) parts.push(part)
  return Buffer.concat(parts).toString('latin1')
}

/** Whatever is to be written there cannot be, until it is disposed. */
async function blocked(file: string): Promise<AsyncDisposable> {
  await rename(file, `${file}.aside`)
  await mkdir(file)
  return {
    async [Symbol.asyncDispose]() {
      await rm(file, { recursive: true })
      await rename(`${file}.aside`, file)
    },
  }
}

test.each(['journal.jsonl', 'state.json'])(
  'a segment whose %s cannot be written is taken in whole at the next try',
  async (file) => {
    const { dir, inbox } = await openTestInbox()
    const body = chunk('hello')
    await inbox.takeIn(worker, segmentOf(1, [1]), new Uint8Array(), () => true)
    const second = segmentOf(2, [2, 3], { bytes: body.length, whole: true })
    {
      await using _full = await blocked(join(dir, file))
      await expect(inbox.takeIn(worker, second, body, () => true)).rejects.toThrow()
      expect(inbox.worker(worker).next, 'nothing of it is so').toBe(2)
      expect(inbox.state.runs.run_1).toMatchObject({ seq: 1, output: { bytes: 0, whole: false } })
    }
    // What is saved meanwhile for another reason holds nothing of it either: a kill now is no different.
    await inbox.save()
    expect(JSON.parse(await readFile(join(dir, 'state.json'), 'utf8')).runs.run_1).toMatchObject({ seq: 1, output: { bytes: 0 } })
    for (const opened of [await openInbox(dir, 'host_1'), inbox]) {
      await opened.takeIn(worker, second, body, () => true)
      expect(await journalOf(opened)).toEqual([1, 2, 3])
      expect(await outputOf(opened)).toBe(body.toString('latin1'))
    }
  },
)

test('what is saved while a segment is being taken in holds all of it or nothing', async () => {
  const { dir, inbox } = await openTestInbox()
  const body = chunk('hello')
  await inbox.takeIn(worker, segmentOf(1, [1]), new Uint8Array(), () => true)
  const taken = inbox.takeIn(worker, segmentOf(2, [2, 3], { bytes: body.length, whole: true }), body, () => true)
  inbox.state.askedAtMs = 7
  let isTaken = false
  const watching = taken.then(() => {
    isTaken = true
  })
  while (!isTaken) {
    await inbox.save()
    const { askedAtMs, nextPosition, workers, runs } = JSON.parse(await readFile(join(dir, 'state.json'), 'utf8'))
    expect(askedAtMs).toBe(7)
    const { seq, output } = runs.run_1
    expect([
      [2, 2, 1, 0],
      [4, 3, 3, body.length],
    ]).toContainEqual([nextPosition, workers[worker].next, seq, output.bytes])
  }
  await watching
})

test('a run is kept while it is not known to be stored by whoever reads the journal', async () => {
  const { inbox } = await openTestInbox()
  const body = chunk('hello')
  await inbox.takeIn(worker, segmentOf(1, [1, 2, 3], { bytes: body.length, whole: true }), body, () => true)
  for (const known of Object.values(inbox.state.runs)) known.cleaned = true
  await outputOf(inbox)
  expect(await journalOf(inbox), 'read, but who knows what became of it').toEqual([1, 2, 3])
  await inbox.forgetOlderThan(0)
  expect(await journalOf(inbox)).toEqual([1, 2, 3])
  // It asks for what follows: so it has them.
  const reading = inbox.journal(3, true, AbortSignal.timeout(60_000))[Symbol.asyncIterator]()
  const next = reading.next()
  await inbox.takeIn(worker, segmentOf(2, [1], undefined, 'run_2'), new Uint8Array(), () => true)
  expect(await next).toMatchObject({ value: { run: 'run_2' } })
  await inbox.forgetOlderThan(0)
  expect(Object.keys(inbox.state.runs)).toEqual(['run_2'])
})

test('a reader that hangs has stored nothing: the run is kept until it comes again and says that it has it', async () => {
  const { inbox } = await openTestInbox()
  const body = chunk('hello')
  await inbox.takeIn(worker, segmentOf(1, [1, 2, 3], { bytes: body.length, whole: true }), body, () => true)
  for (const known of Object.values(inbox.state.runs)) known.cleaned = true
  await outputOf(inbox)
  const reading = inbox.journal(0, true, never)[Symbol.asyncIterator]()
  for (let seq = 1; seq <= 3; seq++) expect(await reading.next()).toMatchObject({ value: { event: { seq } } })
  // Asked for what follows while what came is still being stored.
  const more = reading.next()
  await inbox.forgetOlderThan(0)
  expect(Object.keys(inbox.state.runs)).toEqual(['run_1'])
  expect(await more, 'it is asked to begin anew').toMatchObject({ done: true })
  expect(await journalOf(inbox), 'it had stored nothing').toEqual([1, 2, 3])
  await inbox.forgetOlderThan(0)
  expect(Object.keys(inbox.state.runs)).toEqual(['run_1'])
  expect(await journalOf(inbox, 3)).toEqual([])
  const again = inbox.journal(3, true, AbortSignal.timeout(60_000))[Symbol.asyncIterator]()
  const next = again.next()
  await inbox.forgetOlderThan(0)
  expect(Object.keys(inbox.state.runs)).toEqual([])
  await inbox.takeIn(worker, segmentOf(2, [1], undefined, 'run_2'), new Uint8Array(), () => true)
  expect(await next, 'it is left in peace').toMatchObject({ value: { run: 'run_2' } })
})

test('what nodes tell of themselves is numbered here, once for each segment, and who comes late is told what is gone', async () => {
  const { dir, inbox } = await openTestInbox()
  const at = '2026-01-01T00:00:00.000Z'
  const told = (position: number) => ({ position, at, topic: 'node.test', data: { position } })
  const segment = (number: number, positions: number[]) => ({ ...segmentOf(number, []), nodeEvents: positions.map(told) })
  const read = async (from: Inbox, after = 0) => {
    const found: string[] = []
    for await (const { position, topic, data } of from.nodeEvents(after, false, never))
      found.push(`${position} ${topic} ${data.position}`)
    return found
  }
  await inbox.takeIn('a'.repeat(32), segment(1, [1, 2]), new Uint8Array(), () => true)
  await inbox.takeIn('b'.repeat(32), segment(1, [1]), new Uint8Array(), () => true)
  const all = ['1 node.test 1', '2 node.test 2', '3 node.test 1']
  expect(await read(inbox)).toEqual(all)
  const again = await openInbox(dir, 'host_1')
  expect(await read(again, 1)).toEqual(all.slice(1))
  const next = again.nodeEvents(3, true, AbortSignal.timeout(60_000))[Symbol.asyncIterator]().next()
  await again.takeIn('a'.repeat(32), segment(2, [3]), new Uint8Array(), () => true)
  expect(await next).toMatchObject({ value: { position: 4, data: { position: 3 } } })
  await again.takeIn(
    'a'.repeat(32),
    segment(
      3,
      Array.from({ length: 100 }, (_, n) => n + 4),
    ),
    new Uint8Array(),
    () => true,
  )
  expect((await read(again)).slice(0, 2)).toEqual(['4 node.gap undefined', '5 node.test 4'])
  // A hub whose directory was lost goes on behind what it has told.
  expect(await read(again, 500)).toEqual([])
  await again.takeIn('a'.repeat(32), segment(4, [104]), new Uint8Array(), () => true)
  expect(await read(again, 500)).toEqual(['501 node.test 104'])
  // Nor does it matter what anybody says he has read.
  expect(await read(again, Number.MAX_SAFE_INTEGER)).toEqual([])
  await again.takeIn('a'.repeat(32), segment(5, [105]), new Uint8Array(), () => true)
  expect(await read(await openInbox(dir, 'host_1'), 501)).toHaveLength(2)
})

test('what hosts ask people is told as it stands, each question once, and its time goes on here', async () => {
  const { dir, inbox } = await openTestInbox()
  const [first, second] = ['apr_01ARZ3NDEKTSV4RRFFQ69G5FA1', 'apr_01ARZ3NDEKTSV4RRFFQ69G5FA2']
  const segment = (number: number, ...approvals: ApprovalChange[]) => ({ ...segmentOf(number, []), approvals })
  const read = async (from: Inbox, after = 0) => {
    const found: ApprovalChange[] = []
    for await (const change of from.approvals(after, false, never)) found.push(change)
    return found
  }
  const told = (changes: ApprovalChange[]) => changes.map(({ approval: { id, state } }) => [id, state])
  await inbox.takeIn('a'.repeat(32), segment(1, question(1, first), question(2, second)), new Uint8Array(), () => true)
  const pending = await read(inbox)
  expect(told(pending)).toEqual([
    [first, 'pending'],
    [second, 'pending'],
  ])
  await inbox.takeIn('a'.repeat(32), segment(2, question(3, first, 'unavailable')), new Uint8Array(), () => true)
  // Numbered for itself, and what it says of the other's question makes it not its own.
  await inbox.takeIn('b'.repeat(32), segment(1, question(1, second, 'denied')), new Uint8Array(), () => true)

  const again = await openInbox(dir, 'host_1')
  expect(told(await read(again, pending.at(-1)?.position))).toEqual([
    [first, 'unavailable'],
    [second, 'denied'],
  ])
  expect(told(await read(again))).toHaveLength(2)
  expect(again.state.askedBy).toEqual({ [first]: 'a'.repeat(32), [second]: 'a'.repeat(32) })

  await again.takeIn('a'.repeat(32), segment(3, question(4, first)), new Uint8Array(), () => true)
  const heard = again.state.approvals.at(-1)
  if (heard) heard.heardAtMs -= 60_000
  const [late] = (await read(again)).slice(-1)
  expect(late?.remainingMs).toBeLessThanOrEqual(540_000)
  expect(late?.remainingMs).toBeGreaterThan(500_000)
  const next = again
    .approvals(late?.position ?? 0, true, AbortSignal.timeout(60_000))
    [Symbol.asyncIterator]()
    .next()
  await again.takeIn('a'.repeat(32), segment(4, question(5, second)), new Uint8Array(), () => true)
  expect(await next).toMatchObject({ value: { approval: { id: second, state: 'pending' } } })
})

function question(position: number, id: string, state: ApprovalState = 'pending'): ApprovalChange {
  const at = '2026-01-01T00:00:00.000Z'
  const asked = {
    host: 'box',
    hub: 'hub',
    asker: null,
    command: 'shell',
    params: {},
    argv: null,
    cwd: null,
    env: {},
    script: null,
  }
  const approval = {
    id,
    state,
    digest: '0'.repeat(64),
    asked: { ...asked, session: null },
    reason: null,
    cause: 'it is sensitive',
  }
  return { position, remainingMs: 600_000, approval: { ...approval, createdAt: at, expiresAt: at, resolution: null } }
}

test('a run whose beginning was never told is passed over, and what else its worker tells is taken in', async () => {
  const { inbox } = await openTestInbox()
  const message = segmentOf(1, [2, 3], undefined, 'headless')
  message.events.push(...segmentOf(1, [1, 2]).events)
  await inbox.takeIn(worker, message, new Uint8Array(), () => true)
  expect(Object.keys(inbox.state.runs)).toEqual(['run_1'])
  expect(await journalOf(inbox)).toEqual([1, 2])
  expect(inbox.worker(worker).next).toBe(2)
})

test('a run is kept until its output was read to the end, and again while it is read once more', async () => {
  const { dir, inbox } = await openTestInbox()
  const body = chunk('hello')
  await inbox.takeIn(worker, segmentOf(1, [1, 2, 3], { bytes: body.length, whole: true }), body, () => true)
  for (const known of Object.values(inbox.state.runs)) known.cleaned = true
  const stop = new AbortController()
  const reading = inbox.journal(3, true, stop.signal)[Symbol.asyncIterator]()
  const next = reading.next()
  next.catch(() => undefined)
  const isKept = async () => {
    await inbox.forgetOlderThan(0)
    return 'run_1' in inbox.state.runs
  }
  expect(await isKept(), 'never read').toBe(true)
  const broken = inbox.feed({ run: 'run_1', after: 0 }, never)[Symbol.asyncIterator]()
  await broken.next()
  await broken.return?.()
  expect(await isKept(), 'read in part').toBe(true)
  await outputOf(inbox)
  const again = inbox.feed({ run: 'run_1', after: 0 }, never)[Symbol.asyncIterator]()
  await again.next()
  expect(await isKept(), 'being read again').toBe(true)
  await again.return?.()
  expect(await isKept(), 'not to the end').toBe(true)
  await outputOf(inbox)
  const kept = JSON.parse(await readFile(join(dir, 'state.json'), 'utf8')).runs.run_1
  expect(kept.readWhole, 'a hub that starts again knows it').toBe(true)
  expect(await isKept()).toBe(false)
  stop.abort()
})

test('to be asked about a worker is not to have heard of one', async () => {
  const { inbox } = await openTestInbox()
  expect(inbox.worker('constructor')).toEqual({ next: 1, beat: 0 })
  for (let n = 0; n < 500; n++) inbox.worker(String(n).padStart(32, '0'))
  expect(Object.keys(inbox.state.workers)).toEqual([])
})

test('a run may be called as the language calls its own', async () => {
  const { dir, inbox } = await openTestInbox()
  for (const table of ['specs', 'refused', 'runs', 'done', 'workers'] as const)
    expect('constructor' in inbox.state[table]).toBe(false)
  await inbox.takeIn(worker, segmentOf(1, [1, 2], undefined, 'constructor'), new Uint8Array(), () => true)
  expect((await openInbox(dir, 'host_1')).state.runs.constructor).toMatchObject({ run: { id: 'constructor', state: 'running' } })
})
