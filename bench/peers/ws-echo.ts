// Bare `ws`: JSON there and back over a WebSocket between two processes, and nothing else. What a round trip costs at the least; or,
// where each message is on disk before it is answered, one that promises that.

import { once } from 'node:events'
import WebSocket from 'ws'
import type { Answerer } from '../asking.ts'
import { question } from '../programs/question.ts'
import { startProgram } from '../programs/start.ts'

export const wsName = 'bare ws'
const flushingWsName = 'bare ws, each on disk first'

/** `file`: where each message is written, and flushed, before it is answered. */
export async function startWsEcho(file?: string): Promise<Answerer> {
  const server = await startProgram<number>('ws-echo.ts', file === undefined ? [] : [file])
  const socket = new WebSocket(`ws://127.0.0.1:${server.said}`, { perMessageDeflate: false })
  await once(socket, 'open')
  const waiting = new Map<number, (result: unknown) => void>()
  let lastId = 0
  socket.on('message', (message) => {
    const { id, result } = JSON.parse(String(message)) as { id: number; result: unknown }
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  return {
    name: file === undefined ? wsName : flushingWsName,
    pids: [server.pid],
    ask: () =>
      new Promise((resolve) => {
        const id = ++lastId
        waiting.set(id, resolve)
        socket.send(JSON.stringify({ id, method: 'proc.apply', input: question }))
      }),
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await server[Symbol.asyncDispose]()
    },
  }
}
