// `keep`: an exec that becomes a run, which its host keeps with all its output, whoever goes away. Its handle is the run's id, good for
// everybody who may read runs, also after the hub was restarted.

import { failure } from '../contract/errors.ts'
import { followEvents } from '../contract/event.ts'
import { findRun, submitRun } from '../contract/fleet.ts'
import { type OutputStream, readOutput } from '../contract/output.ts'
import { cancelRun, getRun, isTerminal, type Run, type RunSpecInput, writeStdin } from '../contract/run.ts'
import { type ToolAnswer, type ToolCall, text } from './answer.ts'
import { type NodeInvokeInput, usualWaitS } from './definitions.ts'
import type { ToolFleet } from './fleet.ts'
import { quoted } from './quoted.ts'
import { firstLook, pageLength, restOf } from './shown.ts'
import { oneLine } from './words.ts'

/** What a model wants run, and where. */
export interface ToRun {
  readonly node: string
  readonly command: string
  readonly params: Record<string, unknown>
}

/** Handles of invocations begin with `inv_`; everything else is a run's id. */
export function isRunHandle(handle: string): boolean {
  return !handle.startsWith('inv_')
}

/** Throws `tool.not_kept`, and what the hub answers to a submission. */
export async function startKept(
  fleet: ToolFleet,
  { node, command, params }: ToRun,
  input: NodeInvokeInput,
  call: ToolCall,
): Promise<ToolAnswer> {
  if (command !== 'exec') throw failure('tool.not_kept', { command })
  const { stdin, ...settings } = params
  const spec = { ...settings, ...(stdin !== undefined && { stdin: 'open' }), kind: 'command' } as RunSpecInput
  const run = await fleet.hub.call(submitRun, { host: node, spec }, { signal: call.signal })
  if (stdin !== undefined) {
    const host = await fleet.host(run.host)
    try {
      await host.upload(writeStdin, { run: run.id, end: true }, once(String(stdin)), { signal: call.signal })
    } catch (error) {
      // It would wait for its input for ever. Whether that can be said or not, this is what went wrong.
      await host.call(cancelRun, { run: run.id }).catch(() => undefined)
      throw error
    }
  }
  return await lookAt(fleet, run, input, call)
}

export async function goOnWithRun(fleet: ToolFleet, handle: string, input: NodeInvokeInput, call: ToolCall): Promise<ToolAnswer> {
  const run = await fleet.hub.call(findRun, { run: handle }, { signal: call.signal })
  if (input.cancel && !isTerminal(run.state)) {
    const host = await fleet.host(run.host)
    await host.call(cancelRun, { run: run.id }, { signal: call.signal })
  }
  return await lookAt(fleet, run, input, call)
}

/** Waits for its end, and shows what it has written; whoever leaves meanwhile leaves it running. */
async function lookAt(fleet: ToolFleet, { id, host: name }: Run, input: NodeInvokeInput, call: ToolCall): Promise<ToolAnswer> {
  const host = await fleet.host(name)
  const over = AbortSignal.timeout((input.wait_s ?? usualWaitS) * 1000)
  const until = AbortSignal.any([call.signal, over])
  try {
    for await (const event of host.items(followEvents, { run: id, follow: true }, { signal: until }))
      if (event.type === 'state') call.tell(oneLine(`run ${id} is ${event.state}`, 200))
  } catch (error) {
    if (!over.aborted || call.signal.aborted) throw error
  }
  call.signal.throwIfAborted()
  const run = await host.call(getRun, { run: id }, { signal: call.signal })
  const wanted: readonly OutputStream[] =
    input.offset !== undefined || input.stream ? [input.stream ?? 'stdout'] : ['stdout', 'stderr']
  const shown = await Promise.all(wanted.map((stream) => streamText(fleet, run, stream, input.offset, call.signal)))
  return text(headOf(run), ...shown)
}

const longestWhy = 1_000

function headOf({ id, host, state, exit, error, unreachableSince }: Run): string {
  const how = exit?.signal ? `, ended by ${oneLine(exit.signal, 40)}` : exit?.code != null ? `, exit code ${exit.code}` : ''
  const why = error ? `, ${oneLine(`${error.code}: ${error.message}`, longestWhy)}` : ''
  const away = unreachableSince === null ? '' : `; ${host} cannot be reached since ${unreachableSince}, and it goes on there`
  const next = isTerminal(state)
    ? ''
    : ` It goes on by itself. To wait: node_invoke ${JSON.stringify({ handle: id })}; to end it, add "cancel": true.`
  return `run ${id} on ${host}: ${state}${how}${why}${away}.${next}`
}

async function streamText(
  fleet: ToolFleet,
  { id, host: name, output }: Run,
  stream: OutputStream,
  offset: number | undefined,
  signal: AbortSignal,
): Promise<string> {
  const bytes = output[stream]
  if (bytes === 0) return `${stream}: empty`
  const host = await fleet.host(name)
  const read = async (from: number, limit: number) => {
    const parts: Uint8Array[] = []
    for await (const part of host.bytes(readOutput, { run: id, stream, offset: from, limit }, { signal })) parts.push(part)
    return wholeCharacters(Buffer.concat(parts), from > 0)
  }
  const ask = { handle: id, stream }
  if (offset !== undefined) {
    const from = Math.min(Math.trunc(offset), bytes)
    const { text: shown, end } = await read(from, pageLength)
    return `${quoted(stream, shown)}\n[${restOf(`bytes ${from}-${from + end} of ${bytes}`, from + end, bytes, ask)}]`
  }
  const { head, tail } = firstLook
  const what = `${stream}, ${bytes} bytes`
  if (bytes <= head + tail) return quoted(what, (await read(0, head + tail)).text)
  const [first, last] = await Promise.all([read(0, head), read(bytes - tail, tail)])
  const rest = restOf(`the first ${first.end} and the last ${tail} of ${bytes} bytes`, first.end, bytes, ask)
  return `${quoted(what, `${first.text}\n[…]\n${last.text}`)}\n[${rest}]`
}

/** As text, without the parts of characters at both ends; `end`: how many bytes that took. */
function wholeCharacters(bytes: Buffer, isMiddle: boolean): { text: string; end: number } {
  let begin = 0
  while (isMiddle && begin < 3 && isContinuation(bytes[begin])) begin++
  let end = bytes.length
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (isContinuation(byte)) continue
    const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    if (wanted > back) end = bytes.length - back
    break
  }
  return { text: bytes.subarray(begin, end).toString('utf8'), end: end > 0 ? end : bytes.length }
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80
}

async function* once(value: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(value)
}
