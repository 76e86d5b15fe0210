// How late lines are: each says when it was written, and was read when it came.

import { nowMs } from './clock.ts'

/** For lines of nothing but nanoseconds since 1970; the delays in milliseconds. One machine, so one clock. */
export async function lineDelays(source: AsyncIterable<Uint8Array>): Promise<number[]> {
  const delays: number[] = []
  let rest = ''
  for await (const chunk of source) {
    const readAtMs = nowMs()
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n')
    rest = lines.pop() as string
    for (const line of lines) delays.push(readAtMs - Number(line) / 1e6)
  }
  return delays
}
