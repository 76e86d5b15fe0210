// The little that a dead-drop asks of an object store: five requests, of which one is atomic. Whatever offers them can carry a bucket host.
// There is no compare-and-swap on purpose: stores differ in it (Ceph's takes only an unquoted ETag), and claims.ts fences without it.

export interface Listed {
  readonly key: string
  /** Changes whenever the object does. */
  readonly tag: string
  readonly size: number
}

export interface Objects {
  /** Writes whole or not at all, over whatever is there. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** The atomic one: of several who write the same key, exactly one is told true. May say false to the winner when its first answer was lost. */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>
  /** Undefined when there is none, or when it is larger than `maxBytes`: nobody honest writes such a one. */
  get(key: string, maxBytes: number): Promise<Uint8Array | undefined>
  /** Every key that begins with the prefix. May be late or repeat itself: whoever uses it asks `get` before it matters. */
  list(prefix: string): AsyncIterable<Listed>
  /** Also when there is none. */
  delete(key: string): Promise<void>
}
