// What is said of a host that was just asked how it is: after it was added, and after it was given another token.

import type { HostDetail } from '../../contract/host.ts'
import { printable } from '../printable.ts'

/** `done`: what happened to it, in case that it does not answer. */
export function howItAnswered({ name, probe, info, secret }: HostDetail, done: string): string[] {
  const host = printable(name)
  return [
    ...(secret === 'file' ? ['No keychain works here: the token is in a file that only this account may read.'] : []),
    ...(probe?.answered && info
      ? [`${host} answered within ${probe.roundTripMs} ms: ${printable(info.hostname)}, Muster ${printable(info.version)}.`]
      : []),
    ...(probe && !probe.answered
      ? [
          `${host} ${done}, but does not answer: ${printable(probe.problem ?? '').replace(/\.$/, '')}. See \`muster host show ${host}\`.`,
        ]
      : []),
  ]
}
