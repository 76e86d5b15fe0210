// `muster hub status`: whether the hub of this home runs, where, and whether it can do its work.

import { asMusterError, type ErrorValue, exitCode, failure } from '../../contract/errors.ts'
import { openTransport } from '../../sdk/transport.ts'
import { showAgo } from '../duration.ts'
import { homeAt } from '../home.ts'
import { findHub } from '../hub-record.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'

const askDeadlineMs = 3_000

export const status: Action<unknown, []> = async (terminal) => {
  const home = homeAt(terminal.env)
  const hub = await findHub(home)
  if (!hub)
    return { json: { running: false, home: home.dir }, text: `No hub is running on ${home.dir}.`, exit: exitCode.unavailable }
  const { pid, urls, pin, socket, version, startedAt } = hub
  const problem = await notReady(socket)
  return {
    json: {
      running: true,
      ready: problem === null,
      problem,
      home: home.dir,
      pid,
      url: urls[0] ?? null,
      urls,
      pin,
      socket,
      version,
      startedAt,
    },
    text: showFields({
      hub: urls.join(', '),
      pin: pin ?? undefined,
      pid: String(pid),
      since: `${startedAt} (${showAgo(startedAt)})`,
      version,
      home: home.dir,
      'not ready': problem?.message,
      hint: problem?.hint,
    }),
  }
}

/** Why it runs and cannot work: its disk is full, say, or it hangs. */
async function notReady(socketPath: string): Promise<ErrorValue | null> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(failure('call.deadline', { operation: 'hub status', ms: askDeadlineMs })),
    askDeadlineMs,
  )
  const hub = openTransport({ socketPath })
  try {
    const answer = await hub.send({ method: 'GET', path: '/readyz', headers: {} }, late.signal)
    answer.resume()
    return null
  } catch (error) {
    return asMusterError(error).toValue()
  } finally {
    clearTimeout(timer)
    hub.close()
  }
}
