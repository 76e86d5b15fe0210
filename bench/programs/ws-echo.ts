// A WebSocket server that parses each message as JSON and answers it: no identity, no schema, no flow control. With a file as its argument
// the message is on disk there before. Tells its parent its port.

import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { answer } from './question.ts'

const [, , file] = process.argv
const log = file === undefined ? undefined : openSync(file, 'a')

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) =>
  socket.on('message', (message) => {
    const text = String(message)
    const { id } = JSON.parse(text) as { id: number }
    if (log !== undefined) {
      writeSync(log, `${text}\n`)
      fdatasyncSync(log)
    }
    socket.send(JSON.stringify({ id, result: answer }))
  }),
)
server.on('listening', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit())
