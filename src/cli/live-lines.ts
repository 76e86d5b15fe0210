// Output of several sources on one screen: whole lines, each with the name of where it came from, never mixed within a line.

import type { Sink } from './terminal.ts'

const newline = 0x0a
const carriageReturn = 0x0d
/** A "line" longer than this is shown in pieces: a source that never ends its line must not fill the memory. */
const longestLineBytes = 64 * 1024

export interface LiveLines {
  write(bytes: Uint8Array): Promise<void>
  /** What is left of a last line without an end. */
  end(): Promise<void>
}

/** `screen`: of a line that was overwritten with carriage returns (a progress bar) only its last state is shown. */
export function liveLines(prefix: string, sink: Sink, screen: boolean): LiveLines {
  const start = Buffer.from(prefix)
  let rest: Buffer = Buffer.alloc(0)
  const shown = (line: Buffer) => Buffer.concat([start, screen ? lastState(line) : line, Buffer.of(newline)])
  return {
    async write(bytes) {
      let text = Buffer.concat([rest, bytes])
      const lines: Buffer[] = []
      for (let at = text.indexOf(newline); at !== -1 || text.length > longestLineBytes; at = text.indexOf(newline)) {
        const end = at === -1 || at > longestLineBytes ? longestLineBytes : at
        lines.push(shown(text.subarray(0, end)))
        text = text.subarray(end === at ? end + 1 : end)
      }
      rest = text
      if (lines.length > 0) await sink(Buffer.concat(lines))
    },
    async end() {
      if (rest.length > 0) await sink(shown(rest))
      rest = Buffer.alloc(0)
    },
  }
}

function lastState(line: Buffer): Buffer {
  const trimmed = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
  return trimmed.subarray(trimmed.lastIndexOf(carriageReturn) + 1)
}
