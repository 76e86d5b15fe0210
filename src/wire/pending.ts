// The table of calls that wait for their answer, by request id. Ids count up and come round only after four thousand million calls.
// Each entry leaves exactly once; who takes it out ends it.

import { maxId } from './messages.ts'

export interface PendingTable<C> {
  /** Enters a call under a new id. */
  add(call: C): number
  get(id: number): C | undefined
  /** Takes an entry out; undefined when it has left already. */
  take(id: number): C | undefined
  /** Takes all out. */
  takeAll(): C[]
  readonly size: number
}

export function pendingTable<C>(firstId = 1): PendingTable<C> {
  const calls = new Map<number, C>()
  let next = firstId

  function newId(): number {
    while (calls.has(next)) next = after(next)
    const id = next
    next = after(id)
    return id
  }

  return {
    add(call) {
      const id = newId()
      calls.set(id, call)
      return id
    },
    get: (id) => calls.get(id),
    take(id) {
      const call = calls.get(id)
      calls.delete(id)
      return call
    },
    takeAll() {
      const all = [...calls.values()]
      calls.clear()
      return all
    },
    get size() {
      return calls.size
    },
  }
}

function after(id: number): number {
  return id === maxId ? 1 : id + 1
}
