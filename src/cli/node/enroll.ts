// `muster node enroll`: on the hub, mints the token for a host that will dial in, and prints what to run there.

import type { Family } from '../../contract/family.ts'
import { enrollNode, type Joining } from '../../contract/host.ts'
import { hostName } from '../arguments.ts'
import { labelsOf } from '../host/labels.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

interface EnrollOptions {
  readonly hubUrl?: string
  readonly label?: [string, string][]
  readonly trust?: Family[]
}

export const enroll: Action<EnrollOptions, [string]> = async (terminal, options, name) => {
  const input = {
    name: hostName(name),
    labels: labelsOf(options.label),
    ...(options.trust && { trust: options.trust }),
    ...(options.hubUrl !== undefined && { hubUrl: options.hubUrl }),
  }
  using client = connect(terminal)
  const enrolled = await client.hub.call(enrollNode, input)
  if (!options.json) terminal.say('The token is shown this once: whoever has it can join as this host.')
  return {
    json: enrolled,
    text: [`enrolled: ${enrolled.name} (${enrolled.host})`, ...joiningLines(enrolled)].join('\n'),
  }
}

export function joiningLines({ command }: Joining): string[] {
  return ['', 'Run this on that machine:', `  ${command}`]
}
