import { expect, test } from 'vitest'
import { failure } from '../contract/errors.ts'
import { untilStored } from './until-stored.ts'

const full = failure('store.unavailable', { file: '/home', problem: 'the disk is full' })

test('what cannot be stored is tried until it can', async () => {
  let tries = 0
  const work = async () => {
    tries += 1
    if (tries < 2) throw full
    return 'stored'
  }
  expect(await untilStored(work, new AbortController().signal)).toBe('stored')
})

test('any other failure, and one after the end, is told at once', async () => {
  const refused = failure('run.ended', { run: 'r', state: 'failed' })
  await expect(untilStored(() => Promise.reject(refused), new AbortController().signal)).rejects.toBe(refused)
  await expect(untilStored(() => Promise.reject(full), AbortSignal.abort())).rejects.toBe(full)
})
