// `muster node enroll`: on the hub, mints the token for a host that will dial in, and prints what to run there.

import { failure } from '../../contract/errors.ts'
import { enrollNode } from '../../contract/host.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { Labels } from '../../contract/names.ts'
import { hostName, uniquePairs } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

interface EnrollOptions {
  readonly hubUrl?: string
  readonly label?: [string, string][]
}

export const enroll: Action<EnrollOptions, [string]> = async (terminal, options, name) => {
  const input = {
    name: hostName(name),
    labels: labelsOf(options.label),
    ...(options.hubUrl !== undefined && { hubUrl: options.hubUrl }),
  }
  using client = connect(terminal)
  const enrolled = await client.hub.call(enrollNode, input)
  if (!options.json) terminal.say('The token is shown this once: whoever has it can join as this host.')
  return {
    json: enrolled,
    text: [
      `enrolled: ${enrolled.name} (${enrolled.host})`,
      '',
      'Run this on that machine, and give it the token on standard input, where no list of processes shows it:',
      `  ${enrolled.commandStdin}`,
      `  ${enrolled.token}`,
      '',
      'or, in one line:',
      `  ${enrolled.command}`,
    ].join('\n'),
  }
}

function labelsOf(pairs: EnrollOptions['label']): Record<string, string> {
  const parsed = Labels.safeParse(uniquePairs('--label', pairs))
  if (parsed.success) return parsed.data
  throw failure('cli.usage', {
    problem: `A label is not valid: ${parsed.error.issues.map(describeIssue).join('; ')}.`,
    hint: 'Labels are written NAME=VALUE, such as `--label zone=eu-1`.',
  })
}
