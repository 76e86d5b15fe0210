// A stream that comes when it comes, however its reader reads: what he has not read yet waits in his connection, so much of it and no more. Who
// falls further behind is cut off, and asks again.

import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const mostUnreadBytes = 8 * 1024 * 1024

/** Resolves when all of it was given to the connection, or nobody is there any more; destroys it where it cannot be gone on with. */
export async function push(
  body: ReadableStream<Uint8Array>,
  connection: Writable,
  signal: AbortSignal,
  mostUnread = mostUnreadBytes,
): Promise<void> {
  const taken = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      connection.write(chunk)
      done(connection.writableLength > mostUnread ? new Error('its reader has fallen behind') : null)
    },
    final(done) {
      connection.end(done)
    },
  })
  try {
    await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), taken, { signal })
  } catch {
    // The client has gone, or is to go: there is nobody to tell.
    connection.destroy()
  }
}
