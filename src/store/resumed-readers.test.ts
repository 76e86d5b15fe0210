// Readers that are cut off anywhere and go on after the last that they have: what they got, put together, is the whole, without a gap
// and without a repeat, while the run goes on and after it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { testStore } from '../../test/resources/stores.ts'
import { direct } from '../contract/direct.ts'
import { followEvents, followJournal, type JournalEntry, type RunEvent } from '../contract/event.ts'
import { implementation, type Principal } from '../contract/implementation.ts'
import { followLog, type LogChunk, type OutputStream, readOutput } from '../contract/output.ts'
import { openAppender } from './output/append.ts'
import { readingOperations } from './readings.ts'
import { makeRunBells } from './run-bells.ts'
import { acceptRun, appendEvents } from './runs.ts'
import type { Store } from './store.ts'

const reader: Principal = { kind: 'self', id: 'test', role: 'viewer', scopes: new Set(['read']) }

/** Characters of one to four bytes, cut where a program's buffer happened to be full: also within one. */
const text = fc.string({ unit: fc.constantFrom('a', '\n', 'é', '€', '𝄞', '\u0000'), minLength: 1, maxLength: 12 })
const written = fc.record({
  kind: fc.constantFrom('stdout', 'stdout', 'stderr', 'event'),
  text,
  cut: fc.nat(),
  pause: fc.boolean(),
})
/** After how many a reader is cut off, each time; and how many bytes of its last piece it had got. */
const cuts = fc.array(fc.record({ after: fc.integer({ min: 1, max: 4 }), part: fc.nat(8) }), { minLength: 1, maxLength: 10 })
type Cuts = readonly { readonly after: number; readonly part: number }[]

function open(store: Store, host: string, dir: string) {
  const bells = makeRunBells()
  const offers = implementation(...readingOperations({ store, host, bells, outputDir: () => dir, watched: false }))
  return { bells, caller: direct(offers, reader) }
}

/** Asks from a position on, takes some, leaves, and asks again, until an answer comes to its own end. */
async function cutOff<T>(
  cuts: Cuts,
  ask: () => AsyncIterable<T>,
  take: (item: T, last: number | undefined) => void,
): Promise<void> {
  for (let at = 0; ; at++) {
    const { after, part } = at < cuts.length ? (cuts[at] as Cuts[number]) : { after: Infinity, part: 0 }
    let taken = 0
    for await (const item of ask()) {
      taken += 1
      take(item, taken === after ? part : undefined)
      if (taken === after) break
    }
    if (taken < after) return
  }
}

test('a reader that is cut off anywhere has the whole in the end, each piece once and in order', async () => {
  await using store = await testStore('sqlite')
  const root = await mkdtemp(join(tmpdir(), 'muster-resumed-'))
  let round = 0
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(written, { maxLength: 30 }), cuts, async (all, cuts) => {
        round += 1
        const host = `h${round}`
        const dir = join(root, host)
        const { bells, caller } = open(store, host, dir)
        const spec = { kind: 'command' as const, argv: ['true'], env: {}, stdin: 'none' as const, timeoutMs: 1000 }
        await acceptRun(store, { host, run: 'r', spec, parent: null, title: 'true', fence: 0 })

        const bytes: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] }
        const order: [OutputStream, string][] = []
        let events = 1
        async function write(): Promise<void> {
          const appender = await openAppender(dir)
          for (const { kind, text, cut, pause } of all) {
            if (kind === 'event') {
              const { run } = await appendEvents(store, host, 'r', [{ type: 'step.started', step: text, units: 1 }])
              events += 1
              bells.ring(run)
            } else {
              const stream: OutputStream = kind === 'stdout' ? 'stdout' : 'stderr'
              const whole = Buffer.from(text)
              const at = cut % (whole.length + 1)
              for (const piece of [whole.subarray(0, at), whole.subarray(at)].filter(({ length }) => length > 0)) {
                await appender.append({ stream, bytes: piece, at: order.length })
                order.push([stream, piece.toString('latin1')])
                bytes[stream].push(piece)
              }
              bells.of('r').ring()
            }
            if (pause) await turn()
          }
          await appender.close()
          const output = { stdout: Buffer.concat(bytes.stdout).length, stderr: Buffer.concat(bytes.stderr).length }
          const { run } = await appendEvents(store, host, 'r', [{ type: 'state', state: 'failed', output }])
          events += 1
          bells.ring(run)
        }

        const log: LogChunk[] = []
        const seen: RunEvent[] = []
        const journal: JournalEntry[] = []
        const got: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] }
        const lengthOf = (stream: OutputStream) => got[stream].reduce((sum, { length }) => sum + length, 0)
        const readStream = (stream: OutputStream) =>
          cutOff(
            cuts,
            () => caller.bytes(readOutput, { run: 'r', stream, offset: lengthOf(stream), follow: true }),
            (piece, part) => void got[stream].push(Buffer.from(part === undefined ? piece : piece.subarray(0, part))),
          )
        const reading = Promise.all([
          cutOff(
            cuts,
            () => caller.items(followLog, { run: 'r', after: log.length, follow: true }),
            (chunk) => void log.push(chunk),
          ),
          cutOff(
            cuts,
            () => caller.items(followEvents, { run: 'r', after: seen.length, follow: true }),
            (event) => void seen.push(event),
          ),
          readStream('stdout'),
          readStream('stderr'),
        ])
        await write()
        await reading
        await cutOff(
          cuts,
          () => caller.items(followJournal, { after: journal.at(-1)?.position ?? 0 }),
          (entry) => void journal.push(entry),
        )

        for (const stream of ['stdout', 'stderr'] as const)
          expect(Buffer.concat(got[stream]).equals(Buffer.concat(bytes[stream]))).toBe(true)
        expect(log.map(({ chunk }) => chunk)).toEqual(order.map((_, n) => n + 1))
        expect(
          log.map(({ stream, text, base64 }) => [
            stream,
            Buffer.from(text ?? base64 ?? '', text === undefined ? 'base64' : 'utf8').toString('latin1'),
          ]),
        ).toEqual(order)
        expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: events }, (_, n) => n + 1))
        expect(journal.map(({ position, event }) => [position, event])).toEqual(seen.map((event, n) => [n + 1, event]))
      }),
      { numRuns: 150 },
    )
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
