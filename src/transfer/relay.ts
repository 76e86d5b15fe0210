// What one side gives to the other: through this process, or, between two hosts of one hub, straight through that.

import type { Caller } from '../contract/caller.ts'
import { failure } from '../contract/errors.ts'
import { gatherFiles, getFile, putFile, scatterFiles } from '../contract/file.ts'
import type { BytesOperation, InputOf, OutputOf, UploadOperation } from '../contract/operation.ts'
import { RelayProgress, relayFiles } from '../contract/relay.ts'
import { onSide, type Side, sideError } from './side.ts'

interface Ways {
  readonly file: readonly [typeof getFile, typeof putFile]
  readonly several: readonly [typeof gatherFiles, typeof scatterFiles]
}
const ways: Ways = { file: [getFile, putFile], several: [gatherFiles, scatterFiles] }

export interface Handing<What extends keyof Ways> {
  readonly what: What
  readonly from: Side
  readonly read: InputOf<Ways[What][0]>
  readonly to: Side
  readonly write: InputOf<Ways[What][1]>
  readonly signal: AbortSignal
  /** So many bytes have come since it was last told. */
  readonly onBytes: (bytes: number) => void
}

/** Answers what the writing side has. Throws what either side says, with its name. */
export async function handOver<What extends keyof Ways>(of: Handing<What>): Promise<OutputOf<Ways[What][1]>> {
  const [reading, writing]: readonly [BytesOperation, UploadOperation] = ways[of.what]
  const { from, to } = of
  const hub = from.behind?.hub === to.behind?.hub ? from.behind?.hub : undefined
  const answer = hub ? await throughHub(hub, reading, writing, of) : await throughHere(reading, writing, of)
  return answer as OutputOf<Ways[What][1]>
}

type Any = Handing<keyof Ways>

async function throughHub(hub: Caller, reading: BytesOperation, writing: UploadOperation, of: Any): Promise<unknown> {
  const { what, from, to, signal, onBytes } = of
  let told = 0
  const onProgress = (value: unknown) => {
    const { bytes } = RelayProgress.parse(value)
    onBytes(bytes - told)
    told = bytes
  }
  const prepared = (side: Side, operation: BytesOperation | UploadOperation, input: object) =>
    side.behind?.prepare?.(operation, input) ?? input
  const asked = {
    what,
    from: from.name,
    read: { ...prepared(from, reading, of.read) },
    to: to.name,
    write: { ...prepared(to, writing, of.write) },
  }
  const { answer } = await hub.call(relayFiles, asked, { signal, onProgress })
  const parsed = writing.output.safeParse(answer)
  if (!parsed.success) throw failure('wire.protocol', { problem: `${relayFiles.name} answered what ${writing.name} does not` })
  return parsed.data
}

async function throughHere(
  reading: BytesOperation,
  writing: UploadOperation,
  { from, read, to, write, signal, onBytes }: Any,
): Promise<unknown> {
  let broken: { readonly error: unknown } | undefined
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of from.caller.bytes(reading, read as never, { signal })) {
        onBytes(piece.byteLength)
        yield piece
      }
    } catch (error) {
      broken = { error }
      throw error
    }
  }
  try {
    return await onSide(to, to.caller.upload(writing, write as never, body(), { signal }))
  } catch (error) {
    // Why the source gave no more is what is the matter; what its reader made of that is not.
    throw broken ? sideError(from, broken.error) : error
  }
}
