// A program's output as progress: the first of it at once, then so much at most every moment. It is advice for who looks on; what was
// passed over is counted, and the result holds what it holds.

import { StringDecoder } from 'node:string_decoder'
import type { OutputStream } from '../../contract/output.ts'

const everyMs = 50
const mostBytes = 32 * 1024

export interface ToldOutput {
  take(stream: OutputStream, bytes: Buffer): void
  /** Tells what is left. */
  end(): void
}

export function toldOutput(progress: (value: unknown) => void): ToldOutput {
  const streams = { stdout: newStream(), stderr: newStream() }
  let timer: NodeJS.Timeout | undefined

  function tellAll(): void {
    timer = undefined
    for (const stream of ['stdout', 'stderr'] as const) tell(stream)
  }

  function tell(stream: OutputStream): void {
    const { decoder, waiting, skipped } = streams[stream]
    if (waiting.length === 0) return
    const text = decoder.write(Buffer.concat(waiting))
    streams[stream] = { ...newStream(), decoder }
    // The beginning of a character tells nothing yet.
    if (text !== '' || skipped > 0) progress({ stream, text, ...(skipped > 0 && { skippedBytes: skipped }) })
  }

  return {
    take(stream, bytes) {
      const to = streams[stream]
      const room = mostBytes - to.bytes
      const part = bytes.subarray(0, room)
      to.waiting.push(part)
      to.bytes += part.length
      to.skipped += bytes.length - part.length
      if (timer) return
      tell(stream)
      timer = setTimeout(tellAll, everyMs)
    },
    end() {
      clearTimeout(timer)
      tellAll()
    },
  }
}

function newStream() {
  return { decoder: new StringDecoder('utf8'), waiting: [] as Buffer[], bytes: 0, skipped: 0 }
}
