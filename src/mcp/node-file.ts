// `node_file`: a file or a directory between the model's side and a machine. The bytes go from disk to disk and before no model; paths go in,
// and how much came with which SHA-256 comes out.

import { type CopyOutcome, copyFiles } from '../transfer/copy.ts'
import type { Place, Side } from '../transfer/side.ts'
import type { ToolAnswer, ToolCall } from './answer.ts'
import type { NodeFileInput } from './definitions.ts'
import { type Session, untilEnded } from './node-invoke.ts'

const mostTold = 10
const tellEveryMs = 1_000

/** Throws what either side says; a copy that was cut is gone on with by the same call. */
export async function nodeFile(
  session: Session & { readonly here: () => Promise<Side> },
  input: NodeFileInput,
  call: ToolCall,
): Promise<ToolAnswer> {
  const { node, direction, local_path, remote_path, overwrite = false } = input
  const near: Place = { side: await session.here(), path: local_path }
  const far: Place = { side: { caller: await session.fleet.host(node), name: node, id: node }, path: remote_path }
  const [source, target] = direction === 'push' ? [near, far] : [far, near]
  const { id: owner, ended } = session.asker
  const invocation = session.invocations.begin({ owner, node, command: 'node_file' }, async (signal, onProgress) => {
    let toldAtMs = performance.now()
    const outcome = await copyFiles({
      sources: [source],
      target,
      intoDirectory: target.path.endsWith('/'),
      recursive: true,
      again: false,
      replace: overwrite,
      dryRun: false,
      signal: ended ? AbortSignal.any([signal, ended]) : signal,
      onAsked: onProgress,
      onProgress: ({ bytes, bytesInAll }) => {
        if (performance.now() - toldAtMs < tellEveryMs) return
        toldAtMs = performance.now()
        onProgress({ stream: 'progress', text: `${bytes} of ${bytesInAll} bytes\n` })
      },
    })
    return summaryOf(outcome, { direction, from: source.path, to: target.path })
  })
  return await untilEnded(session, invocation, {}, call)
}

/** What a single file has met is the failure of the call. */
function summaryOf(
  { copied, bytes, left, resumedBytes, problems }: CopyOutcome,
  asked: Record<'direction' | 'from' | 'to', string>,
) {
  const [only, ...others] = problems
  if (only && others.length === 0 && copied.length === 0 && left === 0) throw only.error
  const [file] = copied
  return {
    ...asked,
    files: copied.length,
    bytes,
    ...(copied.length === 1 && file && { to: file.to, sha256: file.sha256 }),
    ...(resumedBytes > 0 && { resumedBytes }),
    ...(left > 0 && { left, note: 'what is left was there already, the same or not to be replaced without overwrite' }),
    ...(problems.length > 0 && {
      failed: problems.length,
      problems: problems.slice(0, mostTold).map(({ error }) => `${error.code}: ${error.message}`),
    }),
  }
}
