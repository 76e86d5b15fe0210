import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { testStore } from '../../test/resources/stores.ts'
import { direct } from '../contract/direct.ts'
import { followEvents, followJournal, type RunEvent } from '../contract/event.ts'
import { implementation, type Principal } from '../contract/implementation.ts'
import { feedOutput, followLog, type LogChunk, readOutput } from '../contract/output.ts'
import { openAppender } from './output/append.ts'
import { decodeFeed } from './output/record.ts'
import { readingOperations } from './readings.ts'
import { makeRunBells } from './run-bells.ts'
import { acceptRun, appendEvents } from './runs.ts'

const reader: Principal = { kind: 'self', id: 'test', role: 'viewer', scopes: new Set(['read']) }

async function mirroredRun() {
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'muster-readings-'))
  opened.defer(() => rm(dir, { recursive: true, force: true }))
  const store = opened.use(await testStore('sqlite'))
  const bells = makeRunBells()
  const caller = direct(
    implementation(...readingOperations({ store, host: 'h', bells, outputDir: (run) => join(dir, run), watched: false })),
    reader,
  )
  const spec = { kind: 'command' as const, argv: ['true'], env: {}, stdin: 'none' as const, timeoutMs: 1000 }
  await acceptRun(store, { host: 'h', run: 'r', spec, parent: null, title: 'true', fence: 0 })
  await appendEvents(store, 'h', 'r', [{ type: 'state', state: 'running', pid: 1 }])
  const parts = opened.move()
  return {
    caller,
    bells,
    dir: join(dir, 'r'),
    async end(output: { stdout: number; stderr: number }) {
      const { run } = await appendEvents(store, 'h', 'r', [{ type: 'state', state: 'succeeded', output }])
      bells.ring(run)
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

test('readers that follow get every event and then end with the run', async () => {
  await using run = await mirroredRun()
  const seen: RunEvent[] = []
  const following = (async () => {
    for await (const event of run.caller.items(followEvents, { run: 'r', follow: true })) seen.push(event)
  })()
  await eventually(() => expect(seen).toHaveLength(2))
  await run.end({ stdout: 0, stderr: 0 })
  await following
  expect(seen.map(({ seq }) => seq)).toEqual([1, 2, 3])
})

test('a journal is followed across runs until its reader leaves', async () => {
  await using run = await mirroredRun()
  const positions: number[] = []
  setTimeout(() => run.end({ stdout: 0, stderr: 0 }), 0)
  for await (const { position } of run.caller.items(followJournal, { follow: true })) {
    positions.push(position)
    if (position === 3) break
  }
  expect(positions).toEqual([1, 2, 3])
})

test('output that is copied after its run has ended reaches its readers to the last byte', async () => {
  for (let round = 0; round < 30; round += 1) {
    await using run = await mirroredRun()
    const appender = await openAppender(run.dir)
    await run.end({ stdout: 20, stderr: 10 })
    let fed = 0
    const log: LogChunk[] = []
    let text = ''
    const feeding = (async () => {
      for await (const _ of decodeFeed(run.caller.bytes(feedOutput, { run: 'r' }))) fed += 1
    })()
    const logging = (async () => {
      for await (const chunk of run.caller.items(followLog, { run: 'r', follow: true })) log.push(chunk)
    })()
    const reading = (async () => {
      for await (const bytes of run.caller.bytes(readOutput, { run: 'r', follow: true })) text += Buffer.from(bytes).toString()
    })()
    for (let n = 0; n < 30; n += 1) {
      await appender.append({ stream: n % 3 === 0 ? 'stderr' : 'stdout', bytes: Buffer.from([n % 3 === 0 ? 0xff : 0x61]), at: n })
      run.bells.of('r').ring()
    }
    await Promise.all([feeding, logging, reading])
    await appender.close()
    expect(text).toBe('a'.repeat(20))
    expect(fed).toBe(30)
    expect(log[0]).toEqual({ chunk: 1, at: '1970-01-01T00:00:00.000Z', stream: 'stderr', offset: 0, base64: '/w==' })
    expect(log[1]).toMatchObject({ chunk: 2, text: 'a' })
  }
})

test('a log is text where people can read it, and else base64', async () => {
  await using run = await mirroredRun()
  const appender = await openAppender(run.dir)
  const parts = [Buffer.from('Grüße 🙂\n'), Buffer.from('no text\0\n'), Buffer.from([0xff])]
  for (const [at, bytes] of parts.entries()) await appender.append({ stream: 'stdout', bytes, at })
  await appender.close()
  const log: LogChunk[] = []
  for await (const chunk of run.caller.items(followLog, { run: 'r' })) log.push(chunk)
  expect(log.map(({ text, base64 }) => text ?? { base64 })).toEqual([
    'Grüße 🙂\n',
    { base64: 'bm8gdGV4dAAK' },
    { base64: '/w==' },
  ])
})

test('an unknown run is refused', async () => {
  await using run = await mirroredRun()
  await expect(run.caller.items(followEvents, { run: 'none' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'run.unknown',
  })
})
