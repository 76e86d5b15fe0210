// The channel over two pipes: this process's own stdin and stdout, or those of a child. Nothing else may be written to them.

import type { Readable, Writable } from 'node:stream'
import type { Channel } from '../channel.ts'
import { type FrameBound, lengthPrefixedChannel } from './length-prefixed.ts'

/** `input` is what the other side writes, `output` what it reads; default: this process's stdin and stdout. */
export function stdioChannel({
  input = process.stdin,
  output = process.stdout,
  ...bound
}: { input?: Readable; output?: Writable } & FrameBound = {}): Channel {
  return lengthPrefixedChannel(input, output, bound)
}
