// The bytes of an open file from one offset to another, the next piece being read while the last is used.

import type { FileHandle } from 'node:fs/promises'

const pieceBytes = 1024 * 1024

/** Ends early where the file does. */
export async function* readOn(
  file: FileHandle,
  { offset, end }: { readonly offset: number; readonly end: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const read = async (at: number): Promise<Buffer> => {
    const wanted = Math.min(pieceBytes, end - at)
    if (wanted <= 0) return Buffer.alloc(0)
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, at)
    return buffer.subarray(0, bytesRead)
  }
  let at = offset
  let next = read(at)
  try {
    for (;;) {
      signal.throwIfAborted()
      const piece = await next
      if (piece.byteLength === 0) return
      at += piece.byteLength
      next = read(at)
      yield piece
    }
  } finally {
    // Before its file is closed by who opened it; its failure is nobody's any more.
    await next.catch(() => undefined)
  }
}
