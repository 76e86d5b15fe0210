// Answers requests that come through a NATS server, whose port is its argument. Tells its parent when it is subscribed.

import { loadNats, subject } from '../peers/nats.ts'
import { answer } from './question.ts'

const nats = await loadNats()
const connection = await nats?.connect({ servers: `127.0.0.1:${process.argv[2]}` })
connection?.subscribe(subject, {
  callback: (error, message) => {
    if (error) throw error
    const { id } = message.json() as { id: number }
    message.respond(JSON.stringify({ id, result: answer }))
  },
})
await connection?.flush()
process.send?.('ready')
process.on('disconnect', () => process.exit())
