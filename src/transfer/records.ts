// Several small files as one stream of bytes: for each a u32 length (big-endian), a head as JSON of that length, and its bytes.
// docs/protocol.md has the form. What is read may come from anybody: sizes are bounded before anything is kept.

import { failure } from '../contract/errors.ts'
import { FileRecord } from '../contract/file.ts'
import { describeIssue } from '../contract/implementation.ts'

const lengthBytes = 4
/** A path in JSON takes six characters for each of the strangest of its bytes. */
const mostHeadBytes = 32 * 1024

const nothing = Buffer.alloc(0)

export function encodeRecord(record: FileRecord, content: Uint8Array = nothing): Buffer {
  const head = Buffer.from(JSON.stringify(record))
  const length = Buffer.allocUnsafe(lengthBytes)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, content])
}

export interface ReadRecord {
  readonly record: FileRecord
  readonly content: Buffer
}

/** Throws `file.record` for what is none. */
export async function* decodeRecords(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadRecord> {
  const bytes = takingFrom(source)
  for (;;) {
    const length = await bytes.take(lengthBytes)
    if (length.byteLength === 0) return
    const headBytes = whole(length, lengthBytes).readUInt32BE()
    if (headBytes === 0 || headBytes > mostHeadBytes) throw failure('file.record', { problem: `a head of ${headBytes} bytes` })
    const record = headOf(whole(await bytes.take(headBytes), headBytes))
    const contentBytes = record.kind === 'file' ? record.bytes : 0
    yield { record, content: whole(await bytes.take(contentBytes), contentBytes) }
  }
}

/** Bytes of a stream, so many at a time; fewer only where it ends. */
function takingFrom(source: AsyncIterable<Uint8Array>): { take(bytes: number): Promise<Buffer> } {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Buffer = nothing
  return {
    async take(bytes) {
      const parts = [rest]
      let held = rest.byteLength
      while (held < bytes) {
        const next = await iterator.next()
        if (next.done) break
        parts.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength))
        held += next.value.byteLength
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts)
      rest = all.subarray(bytes)
      return all.subarray(0, bytes)
    },
  }
}

function whole(taken: Buffer, wanted: number): Buffer {
  if (taken.byteLength < wanted) throw failure('file.record', { problem: 'it ends in the middle of a record' })
  return taken
}

function headOf(bytes: Buffer): FileRecord {
  let head: unknown
  try {
    head = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw failure('file.record', { problem: 'a head that is not JSON' }, { cause: error })
  }
  const parsed = FileRecord.safeParse(head)
  if (!parsed.success) throw failure('file.record', { problem: parsed.error.issues.map(describeIssue).join('; ') })
  return parsed.data
}
