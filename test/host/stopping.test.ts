// Cancelling, timing out and standard input of real commands.

import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { followLog } from '../../src/contract/output.ts'
import { cancelRun, getRun, writeStdin } from '../../src/contract/run.ts'
import { identify } from '../../src/host/process-identity.ts'
import { eventually } from '../resources/eventually.ts'
import { makeTestHome, openTestHost, program, type TestHome, type TestHost } from './host-fixture.ts'

let home: TestHome
let box: TestHost
beforeAll(async () => {
  home = await makeTestHome()
  box = await openTestHost(home)
})
afterAll(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

/** Waits for the command's first output and answers it. */
async function firstLine(run: string): Promise<string> {
  for await (const chunk of box.caller.items(followLog, { run, follow: true })) return chunk.text?.trim() ?? ''
  return ''
}

async function* parts(...all: Uint8Array[]) {
  yield* all
}

describe('cancelling', () => {
  test('SIGTERM ends it; a second request changes nothing; an ended one says so', async () => {
    await box.start('sleep', { argv: ['sleep', '600'] })
    const state = async () => (await box.caller.call(getRun, { run: 'sleep' })).state
    // The keeper's own start is in it.
    await vi.waitFor(async () => expect(await state()).toBe('running'), { timeout: 30_000 })
    expect((await box.caller.call(cancelRun, { run: 'sleep' })).state).toBe('stopping')
    expect((await box.caller.call(cancelRun, { run: 'sleep' })).state).toMatch(/stopping|cancelled/)
    expect(await box.ended('sleep')).toMatchObject({ state: 'cancelled', exit: { code: null, signal: 'SIGTERM' }, error: null })
    await expect(box.caller.call(cancelRun, { run: 'sleep' })).rejects.toMatchObject({ code: 'run.ended' })
  })

  test('one that ignores SIGTERM is killed when the grace is over', async () => {
    await box.start('stubborn', { argv: [program('ignore-term.sh')] })
    await firstLine('stubborn')
    const began = Date.now()
    await box.caller.call(cancelRun, { run: 'stubborn', graceMs: 400 })
    expect(await box.ended('stubborn')).toMatchObject({ state: 'cancelled', exit: { signal: 'SIGKILL' } })
    expect(Date.now() - began).toBeGreaterThanOrEqual(400)
  })

  test('at once, before its process is known, it still ends cancelled', async () => {
    await box.start('early', { argv: ['sleep', '600'] })
    await box.caller.call(cancelRun, { run: 'early', graceMs: 0 })
    expect((await box.ended('early')).state).toBe('cancelled')
  })

  test('the whole group ends', async () => {
    await box.start('family', { argv: [program('with-grandchild.sh')] })
    const grandchild = Number(await firstLine('family'))
    expect(await identify(grandchild)).toBeDefined()
    await box.caller.call(cancelRun, { run: 'family' })
    await box.ended('family')
    await eventually(async () => expect(await identify(grandchild)).toBeUndefined())
  })

  test('a child that tidies up has the grace for it, and its words are kept', async () => {
    await box.start('tidy', { argv: [program('tidy-grandchild.sh')] })
    await firstLine('tidy')
    await box.caller.call(cancelRun, { run: 'tidy', graceMs: 5000 })
    expect(await box.ended('tidy')).toMatchObject({ state: 'cancelled', exit: { code: 0 } })
    expect((await box.output('tidy')).toString()).toBe('ready\ntidied\n')
  })
})

test('a timeout stops it and says so', async () => {
  await box.start('slow', { argv: ['sleep', '600'], timeoutMs: 200 })
  expect(await box.ended('slow')).toMatchObject({
    state: 'timed_out',
    exit: { signal: 'SIGTERM' },
    error: { code: 'run.timed_out', message: 'Run slow was stopped at its timeout of 200 ms.' },
  })
})

describe('standard input', () => {
  test('is empty unless it was asked for', async () => {
    await box.start('no-stdin', { argv: ['cat'] })
    expect(await box.ended('no-stdin')).toMatchObject({ state: 'succeeded', output: { stdout: 0 } })
    await box.start('closed-stdin', { argv: ['sleep', '600'] })
    await expect(box.caller.upload(writeStdin, { run: 'closed-stdin' }, parts())).rejects.toMatchObject({
      code: 'run.stdin_closed',
    })
    await box.caller.call(cancelRun, { run: 'closed-stdin', graceMs: 0 })
    await box.ended('closed-stdin')
    await expect(box.caller.upload(writeStdin, { run: 'closed-stdin' }, parts())).rejects.toMatchObject({ code: 'run.ended' })
  })

  test('10 MB pass through byte for byte', async () => {
    const sent = randomBytes(10_000_000)
    await box.start('cat', { argv: ['cat'], stdin: 'open' })
    const pieces = Array.from({ length: 160 }, (_, i) => sent.subarray(i * 62_500, (i + 1) * 62_500))
    expect(await box.caller.upload(writeStdin, { run: 'cat' }, parts(...pieces))).toEqual({ written: sent.length })
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(hash(await box.output('cat'))).toBe(hash(sent))
    expect((await box.ended('cat')).state).toBe('succeeded')
  })

  test("a repeat is skipped, a gap refused, and the end is the last part's", async () => {
    await box.start('parts', { argv: ['cat'], stdin: 'open' })
    const write = (offset: number, text: string, end = false) =>
      box.caller.upload(writeStdin, { run: 'parts', offset, end }, parts(Buffer.from(text)))
    expect(await write(0, 'abc')).toEqual({ written: 3 })
    expect(await write(1, 'bcde')).toEqual({ written: 5 })
    await expect(write(9, 'x')).rejects.toMatchObject({ code: 'run.stdin_gap' })
    expect(await write(5, 'f', true)).toEqual({ written: 6 })
    expect((await box.output('parts')).toString()).toBe('abcdef')
  })

  test('a command that does not read stops the writer', async () => {
    await box.start('deaf', { argv: ['sleep', '600'], stdin: 'open' })
    let offered = 0
    async function* endless() {
      for (;;) {
        offered += 65_536
        yield Buffer.alloc(65_536)
      }
    }
    const leaving = new AbortController()
    const writing = box.caller.upload(writeStdin, { run: 'deaf' }, endless(), { signal: leaving.signal })
    writing.catch(() => {})
    let before = -1
    await vi.waitFor(
      () => {
        const still = offered === before
        before = offered
        expect(still && offered > 0).toBe(true)
      },
      { timeout: 30_000, interval: 300 },
    )
    expect(offered).toBeLessThan(8 * 1024 * 1024)
    leaving.abort()
    await expect(writing).rejects.toMatchObject({ code: 'call.cancelled' })
    await box.caller.call(cancelRun, { run: 'deaf', graceMs: 0 })
    await box.ended('deaf')
  })
})
