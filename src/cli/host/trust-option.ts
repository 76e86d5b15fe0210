// `--trust`: the hub's side of what may be begun on a host, as `host add` and `node enroll` take it.

import type { Option } from 'commander'
import { families } from '../../contract/family.ts'
import { oneOf, repeated } from '../options.ts'

export function trustOption(): Option {
  const description = `what may be begun there: ${families.join(', ')} (default: all); may be repeated`
  return repeated('--trust <family>', description, oneOf(...families))
}
