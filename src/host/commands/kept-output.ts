// The first part of a program's output, for its result: as text, or in Base64 where it is none.

import { isUtf8 } from 'node:buffer'
import { z } from 'zod'

const mostBytes = 256 * 1024

export interface KeptOutput {
  take(bytes: Buffer): void
  readonly kept: Buffer
  readonly total: number
}

export function keptOutput(): KeptOutput {
  const parts: Buffer[] = []
  let size = 0
  let total = 0
  return {
    take(bytes) {
      const part = bytes.subarray(0, mostBytes - size)
      if (part.length > 0) parts.push(part)
      size += part.length
      total += bytes.length
    },
    get kept() {
      return Buffer.concat(parts)
    },
    get total() {
      return total
    },
  }
}

/** `stdout`, or `stdoutBase64`; `stdoutBytes` counts all that came, and `stdoutCut` says that not all of it is here. */
export const OutputResult = {
  stdout: z.string().optional(),
  stdoutBase64: z.string().optional(),
  stdoutBytes: z.int().nonnegative(),
  stdoutCut: z.boolean(),
  stderr: z.string().optional(),
  stderrBase64: z.string().optional(),
  stderrBytes: z.int().nonnegative(),
  stderrCut: z.boolean(),
}

export function outputResult(stdout: KeptOutput, stderr: KeptOutput) {
  const { text: out, base64: out64 } = textOrBase64(stdout.kept, stdout.total)
  const { text: err, base64: err64 } = textOrBase64(stderr.kept, stderr.total)
  return {
    ...(out64 === undefined ? { stdout: out } : { stdoutBase64: out64 }),
    stdoutBytes: stdout.total,
    stdoutCut: stdout.total > mostBytes,
    ...(err64 === undefined ? { stderr: err } : { stderrBase64: err64 }),
    stderrBytes: stderr.total,
    stderrCut: stderr.total > mostBytes,
  }
}

/** How much longer than its bytes a text may be as JSON: two streams, or one file, must fit into one message. */
const mostGrowth = 1.75

/** Base64 for what is no text, and for text that would take too much room as JSON. */
export function textOrBase64(bytes: Buffer, total = bytes.length): { text?: string; base64?: string } {
  const whole = bytes.length < total ? wholeCharacters(bytes) : bytes
  const text = isUtf8(whole) ? whole.toString('utf8') : undefined
  if (text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= whole.length * mostGrowth + 1_024) return { text }
  return { base64: bytes.toString('base64') }
}

/** Without the character that the cut went through, if it went through one. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4; cut++) {
    const shorter = bytes.subarray(0, bytes.length - cut)
    if (isUtf8(shorter)) return shorter
  }
  return bytes
}
