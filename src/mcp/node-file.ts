// `node_file`: a file or a directory between the model's side and a machine. The bytes go from disk to disk and before no model; paths go in,
// and how much came with which SHA-256 comes out.

import { failure, hasCode } from '../contract/errors.ts'
import { type CopyOutcome, copyFiles } from '../transfer/copy.ts'
import type { Place, Side } from '../transfer/side.ts'
import type { ToolAnswer, ToolCall } from './answer.ts'
import type { NodeFileInput } from './definitions.ts'
import { type Session, untilEnded } from './node-invoke.ts'

/** The disk that is local to the model. */
export interface Near extends Side {
  /** Where this process may read and write by itself; not given where a host decides. */
  readonly roots?: readonly string[]
}

const mostTold = 10
const tellEveryMs = 1_000

/** Throws what either side says; a copy that was cut is gone on with by the same call. */
export async function nodeFile(
  session: Session & { readonly here: () => Promise<Near> },
  input: NodeFileInput,
  call: ToolCall,
): Promise<ToolAnswer> {
  const { node, direction, local_path, remote_path, overwrite = false } = input
  const here = await session.here()
  const near: Place = { side: here, path: local_path }
  const far: Place = { side: { caller: await session.fleet.host(node), name: node, id: node }, path: remote_path }
  const [source, target] = direction === 'push' ? [near, far] : [far, near]
  const { id: owner, ended } = session.asker
  const invocation = session.invocations.begin({ owner, node, command: 'node_file' }, async (signal, onProgress) => {
    let toldAtMs = performance.now()
    const copied = copyFiles({
      sources: [source],
      target,
      intoDirectory: target.path.endsWith('/'),
      becomesTarget: true,
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
    const outcome = await copied.catch((error) => {
      // A host's refusal begins with its name, and says what it exposes.
      if (!here.roots || !hasCode(error, 'file.outside') || error.message.startsWith(`${node}: `)) throw error
      throw failure('tool.outside', { path: local_path, roots: here.roots.join(', ') }, { cause: error })
    })
    return summaryOf(outcome, { direction, from: source.path, to: target.path })
  })
  return await untilEnded(session, invocation, {}, call)
}

/** What a single file has met is the failure of the call. */
function summaryOf(
  { copied, bytes, left, unlike, resumedBytes, problems }: CopyOutcome,
  asked: Record<'direction' | 'from' | 'to', string>,
) {
  const [only, ...others] = problems
  if (only && others.length === 0 && copied.length === 0 && left === 0) throw only.error
  if (copied.length === 0 && problems.length === 0 && left === 1 && unlike === 1)
    throw failure('file.exists', { file: asked.to, others: 0 })
  const [file] = copied
  const same = left - unlike
  return {
    ...asked,
    files: copied.length,
    bytes,
    ...(copied.length === 1 && file && { to: file.to, sha256: file.sha256 }),
    ...(resumedBytes > 0 && { resumedBytes }),
    ...(same > 0 && { same, note: 'of the same size, time and mode at the target, and not sent again' }),
    ...(unlike > 0 && {
      notReplaced: unlike,
      next: 'other files of these names are there; with overwrite: true they are replaced',
    }),
    ...(problems.length > 0 && {
      failed: problems.length,
      problems: problems.slice(0, mostTold).map(({ error }) => `${error.code}: ${error.message}`),
    }),
  }
}
