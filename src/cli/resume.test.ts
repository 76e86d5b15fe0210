import { expect, test } from 'vitest'
import { failure } from '../contract/errors.ts'
import { resuming } from './resume.ts'

const terminal = { say: () => undefined }

test('a failure that may pass is tried again, and what was read is not read twice', async () => {
  const source = ['a', 'b', 'c']
  const read: string[] = []
  let breaks = 2
  await resuming(terminal, async (progress) => {
    while (read.length < source.length) {
      read.push(source[read.length] ?? '')
      progress()
      if (breaks-- > 0) throw failure('wire.closed', { reason: 'test' })
    }
  })
  expect(read).toEqual(source)
})

test('a failure that stays is thrown at once', async () => {
  let tries = 0
  await expect(
    resuming(terminal, async () => {
      tries++
      throw failure('run.unknown', { run: 'x' })
    }),
  ).rejects.toMatchObject({ code: 'run.unknown' })
  expect(tries).toBe(1)
})

test('after the caller has left nothing is tried again', async () => {
  const left = AbortSignal.abort()
  await expect(
    resuming(
      terminal,
      async () => {
        throw failure('wire.closed', { reason: 'x' })
      },
      left,
    ),
  ).rejects.toMatchObject({ code: 'wire.closed' })
})
