// Where a channel puts the frames that it has read: handed to the receiver, or kept in order while there is none.
// Used by every channel; it tells the carrier when to stop and go on reading.

import type { Frame, FrameHandler } from '../channel.ts'

export interface Inbox {
  deliver(frame: Frame): void
  receive(handler: FrameHandler | undefined): void
}

/** `read(true)` asks the carrier to read on, `read(false)` to stop. It starts stopped. */
export function createInbox(read: (on: boolean) => void): Inbox {
  const kept: Frame[] = []
  let receiver: FrameHandler | undefined
  let handingOver = false

  function handOver(): void {
    handingOver = true
    while (receiver && kept.length > 0) receiver(kept.shift() as Frame)
    handingOver = false
  }

  return {
    deliver(frame) {
      if (receiver && kept.length === 0 && !handingOver) return receiver(frame)
      kept.push(frame)
    },
    receive(handler) {
      receiver = handler
      if (!handler) return read(false)
      if (!handingOver) handOver()
      if (receiver) read(true)
    },
  }
}
