// Keeps a secret in this session's keychain and says, as JSON, what became of it. Run under a session bus by test/hub/keychain.test.ts.

import pino from 'pino'
import { systemKeychain } from '../../src/hub/keychain.ts'
import { openSecrets } from '../../src/hub/secrets.ts'

const [dir = '', secret = ''] = process.argv.slice(2)
const secrets = openSecrets({ dir, log: pino({ level: 'silent' }) })
const account = 'host_keychain-test'

const saved = await secrets.save(account, secret)
const read = (await secrets.read(account)) === secret
const inKeychain = await systemKeychain().read(account).catch(String)
await secrets.remove(account)
const left = (await systemKeychain().read(account).catch(String)) ?? 'nothing'
console.log(JSON.stringify({ saved, read, inKeychain: inKeychain === secret, left, holder: await secrets.holder(account) }))
