// How much memory another Node.js process really needs: what is left after it was made to collect its garbage, asked of its inspector.
// The process must have been started with the environment `inspected`.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { WebSocket } from 'ws'
import { type Served, until } from '../resources/muster.ts'

export const inspected = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }

export interface Memory {
  /** Objects and buffers that are in use. */
  readonly usedBytes: number
  /** Pages that the process holds, in use or not. */
  readonly residentBytes: number
}

export interface MemoryGauge extends AsyncDisposable {
  /** Once two readings a moment apart agree: the process has come to rest. */
  atRest(): Promise<Memory>
}

const restMs = 250
const sameBytes = 256 * 1024

export async function openMemoryGauge({ pid, log }: Served): Promise<MemoryGauge> {
  const url = await until('the inspector listens', async () => /Debugger listening on (ws:\S+)/.exec(log())?.[1])
  const inspector = new WebSocket(url)
  await once(inspector, 'open')
  let nextId = 1

  async function ask(method: string, params: object = {}): Promise<{ result?: { value?: unknown } }> {
    const id = nextId++
    const answered = Promise.withResolvers<{ result?: { value?: unknown } }>()
    const listen = (data: Buffer) => {
      const message = JSON.parse(data.toString())
      if (message.id === id) answered.resolve(message.result)
    }
    inspector.on('message', listen)
    inspector.send(JSON.stringify({ id, method, params }))
    try {
      return await answered.promise
    } finally {
      inspector.off('message', listen)
    }
  }

  async function now(): Promise<Memory> {
    // Twice: what the first lets go of may hold buffers that only the second frees.
    await ask('HeapProfiler.collectGarbage')
    await ask('HeapProfiler.collectGarbage')
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'
    const { result } = await ask('Runtime.evaluate', { expression })
    const [, resident] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')
    return { usedBytes: result?.value as number, residentBytes: Number(resident) * 4096 }
  }

  return {
    async atRest() {
      let before = await now()
      return until('its memory is at rest', async () => {
        await new Promise((resolve) => setTimeout(resolve, restMs))
        const after = await now()
        const isSame = Math.abs(after.usedBytes - before.usedBytes) < sameBytes
        before = after
        return isSame ? after : undefined
      })
    },
    async [Symbol.asyncDispose]() {
      inspector.close()
      await once(inspector, 'close')
    },
  }
}
