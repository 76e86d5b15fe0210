// `--trust`: the hub's side of what may be begun on a host, as `host add` and `node enroll` take it.

import type { Option } from 'commander'
import { commandPattern, repeated } from '../options.ts'

export function trustOption(): Option {
  return repeated(
    '--trust <command>',
    'what may be begun there, such as runs, exec or file.* (default: all); may be repeated',
    commandPattern,
  )
}
