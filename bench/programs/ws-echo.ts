// A WebSocket server that parses each message as JSON and answers it: no identity, no schema, no flow control. Tells its parent its port.

import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { answer } from './question.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) =>
  socket.on('message', (message) => {
    const { id } = JSON.parse(String(message)) as { id: number }
    socket.send(JSON.stringify({ id, result: answer }))
  }),
)
server.on('listening', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit())
