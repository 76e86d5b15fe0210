// Two channels joined in memory, for a peer inside this process and for tests. Frames arrive in a later microtask,
// so that nobody is called back from within his own `send`.

import type { MusterError } from '../../contract/errors.ts'
import type { Channel, Frame } from '../channel.ts'
import { createInbox } from './inbox.ts'

export function memoryChannels(): [Channel, Channel] {
  const left = createEnd()
  const right = createEnd()
  left.join(right)
  right.join(left)
  return [left.channel, right.channel]
}

interface End {
  readonly channel: Channel
  join(other: End): void
  /** Puts a frame of the other end on its way to this one; `arrived` is called when it has left the queue. */
  arrive(frame: Frame, arrived: () => void): void
  end(reason: MusterError): void
}

function createEnd(): End {
  const ended = Promise.withResolvers<MusterError>()
  const underway: { frame: Frame; arrived: () => void }[] = []
  const drains = new Set<() => void>()
  let other: End | undefined
  let open = true
  let reading = false
  let bufferedBytes = 0

  const inbox = createInbox((on) => {
    reading = on
    if (on) queueMicrotask(flush)
  })

  function flush(): void {
    while (open && reading && underway.length > 0) {
      const { frame, arrived } = underway.shift() as (typeof underway)[number]
      arrived()
      inbox.deliver(frame)
    }
  }

  function end(reason: MusterError): void {
    if (!open) return
    open = false
    ended.resolve(reason)
    for (const resolve of drains) resolve()
    // What was sent before the closing still arrives, as over a socket.
    queueMicrotask(() => other?.end(reason))
  }

  const channel: Channel = {
    send(frame) {
      if (!open) return
      const size = sizeOf(frame)
      bufferedBytes += size
      other?.arrive(frame, () => {
        bufferedBytes -= size
        if (bufferedBytes > 0) return
        for (const resolve of drains) resolve()
        drains.clear()
      })
    },
    get bufferedBytes() {
      return bufferedBytes
    },
    drained() {
      if (!open || bufferedBytes === 0) return Promise.resolve()
      return new Promise((resolve) => drains.add(resolve))
    },
    receive: inbox.receive,
    close: end,
    closed: ended.promise,
  }

  return {
    channel,
    join(end) {
      other = end
    },
    arrive(frame, arrived) {
      underway.push({ frame, arrived })
      if (underway.length === 1) queueMicrotask(flush)
    },
    end,
  }
}

function sizeOf(frame: Frame): number {
  return frame.kind === 'text' ? Buffer.byteLength(frame.text) : frame.bytes.byteLength
}
