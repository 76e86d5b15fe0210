// An invocation on several hosts: equal results once, under the names of their hosts; what failed, on standard error.

import { FleetProgress, invokeOnFleet } from '../../contract/command.ts'
import { exitCode, MusterError } from '../../contract/errors.ts'
import type { OutputOf } from '../../contract/operation.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Outcome } from '../perform.ts'
import { printable, printableJson } from '../printable.ts'
import { showProgress } from './progress.ts'
import { howItEnds, type Invocation, type InvokeContext } from './request.ts'

export async function invokeOnMany(
  { terminal, client, timeoutMs }: InvokeContext,
  chosen: { hosts: string[]; labels: string[] },
  invocation: Invocation,
): Promise<Outcome> {
  const work = (signal: AbortSignal) =>
    client.hub.call(
      invokeOnFleet,
      { ...chosen, ...invocation, ...(timeoutMs !== undefined && { timeoutMs }) },
      {
        signal,
        onProgress(told) {
          const { host, value } = FleetProgress.parse(told)
          showProgress(terminal, value, `${host} | `)
        },
      },
    )
  const answer = await untilInterrupted(work, () => terminal.say(howItEnds(invocation, 'on every host')))
  for (const { hosts, error } of answer.groups) {
    if (!error) continue
    const { message, hint } = new MusterError(error)
    terminal.say(printable(`${hosts.join(', ')}: ${message} hint: ${hint}`))
  }
  return { json: answer, text: showGroups(answer.groups), exit: answer.failed === 0 ? exitCode.ok : exitCode.workFailed }
}

function showGroups(groups: OutputOf<typeof invokeOnFleet>['groups']): string {
  return groups
    .filter(({ error }) => error === null)
    .map(({ hosts, result }) => {
      const count = `${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'}`
      return `== ${printable(hosts.join(', '))} (${count})\n${printableJson(result, 2)}`
    })
    .join('\n')
}
