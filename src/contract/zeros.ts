// Runs of zero bytes: a file's holes are nothing else by the time that somebody reads them. All that are told of share one memory.

const blockBytes = 64 * 1024
const block = Buffer.alloc(blockBytes)
/** Fewer are no hole of any file system, and not worth telling. */
const leastHole = 4096

/** Whether a piece is nothing but zeros, and worth telling so. */
export function isZeros(piece: Uint8Array): boolean {
  const { byteLength } = piece
  if (byteLength < leastHole || piece[0] !== 0 || piece[byteLength - 1] !== 0) return false
  for (let at = 0; at < byteLength; at += blockBytes) {
    const end = Math.min(at + blockBytes, byteLength)
    if (block.compare(piece, at, end, 0, end - at) !== 0) return false
  }
  return true
}

/** So many of them, in pieces of a bounded size that nobody may write to. */
export function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= blockBytes) yield block.subarray(0, Math.min(left, blockBytes))
}
