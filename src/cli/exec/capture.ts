// A run's output kept for the JSON result of exec: the first part of each stream, and how much there was in all.

import { isUtf8 } from 'node:buffer'
import type { Run } from '../../contract/run.ts'
import type { Sink } from '../terminal.ts'

const keptBytes = 1024 * 1024

export interface Capture {
  /** Keeps what it is given and passes it on, if there is somewhere to pass it. */
  readonly sink: Sink
  readonly kept: () => { bytes: Buffer; total: number }
}

/** `pass` also hands the output on; `keep: false` only does that. */
export function capture(pass?: Sink, keep = true): Capture {
  const most = keep ? keptBytes : 0
  const parts: Uint8Array[] = []
  let kept = 0
  let total = 0
  return {
    async sink(data) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data
      const part = bytes.subarray(0, Math.max(0, most - kept))
      if (part.length > 0) parts.push(Uint8Array.from(part))
      kept += part.length
      total += bytes.length
      await pass?.(bytes)
    },
    kept: () => ({ bytes: Buffer.concat(parts), total }),
  }
}

/** One entry of `runs` in the JSON result of exec. */
export function runResult(run: Run, output?: { stdout: Capture; stderr: Capture }): Record<string, unknown> {
  return {
    host: run.host,
    run: run.id,
    state: run.state,
    exit: run.exit,
    error: run.error,
    createdAt: run.createdAt,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    ...(output && { ...streamResult('stdout', output.stdout), ...streamResult('stderr', output.stderr) }),
  }
}

/** `stdout` is text, or `stdoutBase64` where it is not UTF-8; `stdoutBytes` counts what was kept here and what was not. */
function streamResult(name: 'stdout' | 'stderr', { kept }: Capture): Record<string, unknown> {
  const { bytes, total } = kept()
  const whole = bytes.length === total ? bytes : wholeCharacters(bytes)
  return {
    ...(isUtf8(whole) ? { [name]: whole.toString('utf8') } : { [`${name}Base64`]: bytes.toString('base64') }),
    [`${name}Bytes`]: total,
    ...(bytes.length < total && { [`${name}Cut`]: true }),
  }
}

/** Without the character that the cut went through, if it went through one. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4; cut++) {
    const shorter = bytes.subarray(0, bytes.length - cut)
    if (isUtf8(shorter)) return shorter
  }
  return bytes
}
