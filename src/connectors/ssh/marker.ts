// The line with which `muster node attach` begins: what a shell profile prints before it is no part of the conversation.
// Written by the far side, looked for by the hub. After it come frames, if it says that the node was joined.

import { z } from 'zod'

const Marker = z.union([
  z.object({ joined: z.literal(true) }),
  z.object({
    error: z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() }),
  }),
])
export type Marker = z.output<typeof Marker>

// On a line of its own, also after something that has none of its own.
const opening = '\n#muster-attach '

export function formatMarker(marker: Marker): string {
  return `${opening}${JSON.stringify(marker)}\n`
}

/** The first marker in `seen`, and what came after it; undefined while there is no whole one. */
export function findMarker(seen: Buffer): { marker: Marker; rest: Buffer } | undefined {
  for (let at = seen.indexOf(opening); at !== -1; at = seen.indexOf(opening, at + 1)) {
    const from = at + opening.length
    const end = seen.indexOf('\n', from)
    if (end === -1) return undefined
    const parsed = Marker.safeParse(jsonOrUndefined(seen.toString('utf8', from, end)))
    if (parsed.success) return { marker: parsed.data, rest: seen.subarray(end + 1) }
  }
  return undefined
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Something that only begins like one; the true one may follow.
    return undefined
  }
}
