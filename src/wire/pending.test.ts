import fc from 'fast-check'
import { expect, test } from 'vitest'
import { maxId } from './messages.ts'
import { pendingTable } from './pending.ts'

test('each call leaves exactly once, whatever is asked of the table', () => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat(30), fc.constant('all' as const))
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const table = pendingTable<symbol>()
      const model = new Map<number, symbol>()
      const ids: number[] = []
      for (const one of steps) {
        if (one === 'add') {
          const call = Symbol()
          const id = table.add(call)
          expect(model.has(id)).toBe(false)
          model.set(id, call)
          ids.push(id)
        } else if (one === 'all') {
          expect(table.takeAll()).toEqual([...model.values()])
          model.clear()
        } else {
          const id = ids[one % Math.max(1, ids.length)] ?? 77
          expect(table.take(id)).toBe(model.get(id))
          model.delete(id)
        }
        expect(table.size).toBe(model.size)
      }
    }),
  )
})

test('ids come round and pass over those that are in use', () => {
  const table = pendingTable<string>(maxId)
  expect([table.add('a'), table.add('b')]).toEqual([maxId, 1])
  const again = pendingTable<string>(maxId)
  again.add('held')
  expect(again.add('next')).toBe(1)
})
