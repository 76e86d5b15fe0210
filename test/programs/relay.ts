// The line of test/resources/proxy.ts as a process of its own, for a network namespace in which the test itself is not:
// `relay.ts ADDRESS TARGET LATENCY_MS` prints the URL at which it listens.

import { openProxy } from '../resources/proxy.ts'

const [address = '', target = '', latencyMs = ''] = process.argv.slice(2)
const { url } = await openProxy(target, { address, latencyMs: Number(latencyMs) })
console.log(url)
