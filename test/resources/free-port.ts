// A port that nobody listens on, for a server that cannot be told to take a free one, or must come back to the same.

import { once } from 'node:events'
import { createServer } from 'node:net'

/** Processes that look at the same time begin this far apart. */
const stride = 97

/** Below the ports that the system gives to whoever asks for any: one of those could be gone by the next start. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let port = 20_000 + ((process.pid * stride) % 10_000); port < 32_000; port++) {
    if (await isFree(port, address)) return port
  }
  throw new Error(`no port below 32000 is free on ${address}`)
}

async function isFree(port: number, address: string): Promise<boolean> {
  const server = createServer().listen(port, address)
  try {
    await once(server, 'listening')
  } catch {
    // Somebody has it.
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
