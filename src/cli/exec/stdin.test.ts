import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Caller } from '../../contract/caller.ts'
import { failure } from '../../contract/errors.ts'
import type { Terminal } from '../terminal.ts'
import { passStdin } from './stdin.ts'

/** A host that takes standard input by offset, skipping what it has, and breaks where it is told to. */
function hostThat(breaks: boolean[], refuse?: Error) {
  const taken = { bytes: Buffer.alloc(0), ended: false, pieces: 0 }
  const upload = async (_operation: unknown, input: { offset: number; end: boolean }, body: AsyncIterable<Uint8Array>) => {
    const piece = await buffer(body)
    if (refuse) throw refuse
    taken.pieces++
    expect(input.offset).toBeLessThanOrEqual(taken.bytes.length)
    taken.bytes = Buffer.concat([taken.bytes, piece.subarray(taken.bytes.length - input.offset)])
    taken.ended ||= input.end
    if (breaks.shift()) throw failure('wire.closed', { reason: 'test' })
    return { written: taken.bytes.length }
  }
  return { taken, host: { upload } as unknown as Caller }
}

function terminalWith(stdin: PassThrough): Terminal {
  return { stdin, say: () => undefined } as unknown as Terminal
}

test('every byte arrives once and in order, though answers are lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 }),
      fc.boolean(),
      async (chunks, lost) => {
        const stdin = new PassThrough()
        const { taken, host } = hostThat([lost])
        const passing = passStdin(terminalWith(stdin), host, 'run_1', new AbortController().signal)
        for (const chunk of chunks) {
          stdin.write(chunk)
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
        }
        stdin.end()
        await passing
        expect(taken.bytes.equals(Buffer.concat(chunks))).toBe(true)
        expect(taken.ended).toBe(true)
      },
    ),
    { numRuns: 10 },
  )
})

test('a run that takes no more ends it quietly; another refusal does not', async () => {
  const end = (refuse: Error) => {
    const stdin = new PassThrough()
    stdin.end('x')
    return passStdin(terminalWith(stdin), hostThat([], refuse).host, 'run_1', new AbortController().signal)
  }
  await expect(end(failure('run.ended', { run: 'run_1', state: 'succeeded' }))).resolves.toBeUndefined()
  await expect(end(failure('policy.denied', { command: 'runs' }))).rejects.toMatchObject({ code: 'policy.denied' })
})

test('it lets go of standard input when the run has ended', async () => {
  const stdin = new PassThrough()
  const leaving = new AbortController()
  const { taken, host } = hostThat([])
  const passing = passStdin(terminalWith(stdin), host, 'run_1', leaving.signal)
  leaving.abort()
  await passing
  expect(taken.ended).toBe(false)
  expect(stdin.listenerCount('data')).toBe(0)
})
