// What leaves: everything a connection sends goes through here, is numbered, and waits here when the system takes no more.
// Two lanes: messages go before stream data, so that an answer does not queue behind a gigabyte of output.

import type { Channel } from './channel.ts'
import type { Numbering } from './numbering.ts'

export interface Outbox {
  /** Sends at once, whatever is queued: for what is small and must not wait. */
  send(frame: string | Buffer): void
  /**
   * Sends what `produce` makes as soon as there is room; `undefined` means that it is no longer wanted.
   * Resolves once that is done or the outbox has ended; answers undefined, and no promise, when it was done at once.
   */
  post(lane: Lane, produce: () => string | Buffer | undefined): Promise<void> | undefined
  /** The other side takes nothing, and even what cannot wait has piled up. */
  readonly overfull: boolean
  /** Grows for as long as the system takes what is sent. */
  readonly takenBytes: number
  readonly bufferedBytes: number
  /** Drops what waits and sends nothing more. */
  end(): void
}

type Lane = 'message' | 'data'
interface Waiting {
  readonly produce: () => string | Buffer | undefined
  readonly done: () => void
}

/** Little enough that a message's wait behind stream data is short, enough that the system always has something to send. */
const roomBytes = 512 * 1024
const overfullBytes = 4 * 1024 * 1024

export function createOutbox(channel: Channel, numbering: Numbering): Outbox {
  const lanes: Record<Lane, Waiting[]> = { message: [], data: [] }
  let awaitingRoom = false
  let ended = false
  let sentBytes = 0

  function send(frame: string | Buffer): void {
    if (ended) return
    // Here and not sooner: what waits in a lane may be overtaken or dropped.
    const numbered = numbering.stamp(frame)
    sentBytes += numbered.length
    channel.send(typeof numbered === 'string' ? { kind: 'text', text: numbered } : { kind: 'binary', bytes: numbered })
  }

  function hasRoom(): boolean {
    return channel.bufferedBytes < roomBytes
  }

  function flush(): void {
    awaitingRoom = false
    while (hasRoom()) {
      const first = lanes.message.shift() ?? lanes.data.shift()
      if (!first) return
      perform(first.produce)
      first.done()
    }
    awaitRoom()
  }

  function perform(produce: Waiting['produce']): void {
    const frame = produce()
    if (frame !== undefined) send(frame)
  }

  function awaitRoom(): void {
    if (awaitingRoom || ended) return
    awaitingRoom = true
    void channel.drained().then(flush)
  }

  return {
    send,
    post(lane, produce) {
      if (ended) return undefined
      if (!awaitingRoom && hasRoom()) {
        perform(produce)
        return undefined
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      lanes[lane].push({ produce, done: resolve })
      awaitRoom()
      return promise
    },
    get overfull() {
      return channel.bufferedBytes > overfullBytes
    },
    get takenBytes() {
      return sentBytes - channel.bufferedBytes
    },
    get bufferedBytes() {
      return channel.bufferedBytes
    },
    end() {
      ended = true
      for (const { done } of [...lanes.message.splice(0), ...lanes.data.splice(0)]) done()
    },
  }
}
