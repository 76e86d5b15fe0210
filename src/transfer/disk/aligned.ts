// Memory whose address is a multiple of a page, as the system wants it of what is written past its page cache. That of WebAssembly is: of
// nothing else that JavaScript can have is the address known. It is used again and again, and never given back.

export const bufferBytes = 1024 * 1024
const buffersAtOnce = 12

declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
}

const free: Buffer[] = []

export function takeBuffers(count: number): Buffer[] {
  while (free.length < count) {
    const pages = (bufferBytes / 65_536) * buffersAtOnce
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages })
    for (let n = 0; n < buffersAtOnce; n++) free.push(Buffer.from(buffer, n * bufferBytes, bufferBytes))
  }
  return free.splice(-count)
}

/** Nobody may be writing from them any more. */
export function giveBack(buffers: readonly Buffer[]): void {
  free.push(...buffers)
}
