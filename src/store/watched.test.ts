import { expect, test } from 'vitest'
import { failure } from '../contract/errors.ts'
import type { Store } from './engine.ts'
import { watched } from './watched.ts'

test('writes that begin to fail, and that succeed again, are told once each', async () => {
  const told: string[] = []
  let full = false
  const store = {
    write: async () => {
      if (full) throw failure('store.unavailable', { file: '/home/hub.db', problem: 'it is full' })
    },
  } as unknown as Store
  const watching = watched(store, { failing: ({ code }) => told.push(code), mended: () => told.push('mended') })
  const write = () => watching.write(async () => {})

  await write()
  full = true
  await expect(write()).rejects.toMatchObject({ code: 'store.unavailable' })
  await expect(write()).rejects.toMatchObject({ code: 'store.unavailable' })
  full = false
  await write()
  await write()
  expect(told).toEqual(['store.unavailable', 'mended'])
})

test('what a write itself refuses says nothing about the store', async () => {
  const refusing = {
    write: async () => {
      throw failure('run.unknown', { run: 'r' })
    },
  } as unknown as Store
  const told: string[] = []
  const watching = watched(refusing, { failing: ({ code }) => told.push(code), mended: () => told.push('mended') })
  await expect(watching.write(async () => {})).rejects.toMatchObject({ code: 'run.unknown' })
  expect(told).toEqual([])
})
