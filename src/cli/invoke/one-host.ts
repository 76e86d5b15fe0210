// An invocation on one host: its progress as it comes, its result at the end.

import { invokeCommand } from '../../contract/command.ts'
import { asMusterError, failure } from '../../contract/errors.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Outcome } from '../perform.ts'
import { printableJson } from '../printable.ts'
import { showProgress } from './progress.ts'
import { howItEnds, type Invocation, type InvokeContext } from './request.ts'

export async function invokeOnOne(
  { terminal, client, timeoutMs }: InvokeContext,
  host: string,
  invocation: Invocation,
): Promise<Outcome> {
  const { command } = invocation
  const work = (signal: AbortSignal) =>
    client.host(host).call(invokeCommand, invocation, {
      signal,
      onProgress: (value) => showProgress(terminal, value),
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
  try {
    const { result } = await untilInterrupted(work, () => terminal.say(howItEnds(invocation, `on ${host}`)))
    return { json: { host, command, result: result ?? null }, text: printableJson(result, 2) }
  } catch (thrown) {
    const error = asMusterError(thrown)
    if (error.code !== 'wire.closed' && error.code !== 'call.deadline') throw thrown
    throw failure('invoke.no_answer', { host, command, reason: error.message.replace(/\.$/, '') }, { cause: error })
  }
}
