// Appends to the audit log of the store that it is given, as a hub does, until it is killed. Prints the number of each entry that
// was to be durable once it is.

import { pino } from 'pino'
import { openAuditLog } from '../../src/store/audit-log.ts'
import { openStore } from '../../src/store/store.ts'

await using store = await openStore({ file: process.argv[2] ?? 'audit.db' })
await using audit = openAuditLog(store, pino({ level: 'silent' }), 'the writer')
const actor = { kind: 'user' as const, id: String(process.pid), role: 'operator' }
for (let i = 0; ; i += 1) {
  audit.note({ actor, action: 'run.start', decision: 'allowed', subject: `plain ${i}` })
  await audit.record({ actor, action: 'token.create', decision: 'allowed', subject: `grave ${i}` }, { durable: true })
  process.stdout.write(`grave ${i}\n`)
}
