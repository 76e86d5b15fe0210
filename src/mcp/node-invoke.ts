// `node_invoke`: begins a command and waits for a while, or goes on with one that was begun, by its handle.

import { showApproval } from '../contract/approval.ts'
import { invokeCommand } from '../contract/command.ts'
import { failure, hasCode } from '../contract/errors.ts'
import type { OutputOf } from '../contract/operation.ts'
import { type ToolAnswer, type ToolCall, text } from './answer.ts'
import { type NodeInvokeInput, usualWaitS } from './definitions.ts'
import type { Asker, ToolFleet } from './fleet.ts'
import type { Invocation, Invocations } from './invocations.ts'
import { goOnWithRun, isRunHandle, startKept, type ToRun } from './kept-runs.ts'
import { quoted } from './quoted.ts'
import { resultAnswer } from './result.ts'
import { ago, oneLine } from './words.ts'

/** What the tools keep between two calls, in the process that serves them. */
export interface Session {
  readonly fleet: ToolFleet
  readonly asker: Asker
  readonly invocations: Invocations
}

/** Throws what the hub and the host answer; `input.invalid` for fields that do not go together. */
export async function nodeInvoke(session: Session, input: NodeInvokeInput, call: ToolCall): Promise<ToolAnswer> {
  const { handle, keep = false } = input
  if (handle === undefined)
    return keep ? await startKept(session.fleet, whatToRun(input), input, call) : await begin(session, input, call)
  if (isRunHandle(handle)) return await goOnWithRun(session.fleet, handle, input, call)
  const invocation = session.invocations.find(session.asker.id, handle)
  if (input.cancel) session.invocations.cancel(invocation)
  return await untilEnded(session, invocation, input, call)
}

async function begin(session: Session, input: NodeInvokeInput, call: ToolCall): Promise<ToolAnswer> {
  const { node, command, params } = whatToRun(input)
  const { reason } = input
  const host = await session.fleet.host(node)
  call.signal.throwIfAborted()
  const { id: owner, ended } = session.asker
  const invocation = session.invocations.begin({ owner, node, command }, async (signal, onProgress) => {
    const answer: OutputOf<typeof invokeCommand> = await host.call(
      invokeCommand,
      { command, params, ...(reason !== undefined && { reason }) },
      { signal: ended ? AbortSignal.any([signal, ended]) : signal, onProgress },
    )
    return answer.result
  })
  return await untilEnded(session, invocation, input, call)
}

/** Where a host exposes it, people may approve by it: no model does, not even what another waits for. */
const approving = 'fleet.approve'

function whatToRun({ node_id: node, command, params = {} }: NodeInvokeInput): ToRun {
  if (node === undefined || command === undefined)
    throw failure('input.invalid', { what: 'node_invoke', problem: 'node_id and command are wanted, or a handle' })
  if (command === approving) throw failure('tool.no_approving', { command })
  return { node, command, params }
}

/** The result, or how it stands when the time is over. Throws how it failed. */
export async function untilEnded(
  session: Session,
  invocation: Invocation,
  input: NodeInvokeInput,
  call: ToolCall,
): Promise<ToolAnswer> {
  await session.invocations.wait(invocation, {
    ms: (input.wait_s ?? usualWaitS) * 1000,
    signal: call.signal,
    onNews: ({ approval, tail }) =>
      call.tell(approval === null ? oneLine(tail.slice(-200), 200) : `a person is asked to approve it (${approval.id})`),
  })
  const { handle, node, command, end } = invocation
  if (end === null) return await unfinished(session.fleet, invocation)
  if ('error' in end) throw end.error
  return resultAnswer(`${command} on ${node}`, end.result, {
    offset: input.offset,
    stream: input.stream,
    ask: { handle },
    tookMs: end.tookMs,
  })
}

async function unfinished(fleet: ToolFleet, invocation: Invocation): Promise<ToolAnswer> {
  const { handle, node, command, approval, startedAtMs, tail, told } = invocation
  const wait = `node_invoke ${JSON.stringify({ handle })}`
  if (approval !== null && (await isPending(fleet, approval.id))) {
    return text(
      `${command} on ${node} waits for a person's approval, ${approval.id}${approval.expiresAt === null ? '' : `, until ${approval.expiresAt}`}. Nothing has run.`,
      `Tell the person: \`muster approval show ${approval.id}\`, then \`muster approval approve ${approval.id}\` (or deny). You cannot approve it.`,
      `To wait for it: ${wait}`,
    )
  }
  return text(
    `${command} on ${node} goes on, for ${ago(performance.now() - startedAtMs)} now. To wait on: ${wait}; to end it: node_invoke ${JSON.stringify({ handle, cancel: true })}. It is ended when nobody asks for 5 minutes.`,
    told === 0
      ? 'No output so far.'
      : quoted(`Its output so far${told > tail.length ? `, the last ${tail.length} characters` : ''}`, tail),
  )
}

/** What the hub has not read yet waits, too. */
async function isPending(fleet: ToolFleet, approval: string): Promise<boolean> {
  try {
    const { state } = await fleet.hub.call(showApproval, { approval })
    return state === 'pending'
  } catch (error) {
    if (hasCode(error, 'approval.unknown')) return true
    throw error
  }
}
