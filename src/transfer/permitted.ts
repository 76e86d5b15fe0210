// A side whose policy has a person asked: the first look at a path that is refused for that asks, waits for the answer, and from then on the
// permit goes with all that is asked of the path and of what is below it.

import type { Caller } from '../contract/caller.ts'
import { hasCode } from '../contract/errors.ts'
import { askForFiles, digestFile, gatherFiles, getFile, lookAtFile, walkFiles } from '../contract/file.ts'
import type { Side } from './side.ts'
import { hasWildcard, partsOf } from './sources.ts'

interface Held {
  readonly meant: 'read' | 'write'
  /** As it was named, and as it is. */
  readonly paths: readonly string[]
  readonly permit: string
}

/** All others write, but where they say so themselves. */
const reading: ReadonlySet<string> = new Set([lookAtFile, walkFiles, getFile, digestFile, gatherFiles].map(({ name }) => name))

export interface Asker {
  readonly signal: AbortSignal
  /** Why, for the person who is asked. */
  readonly reason: string
  /** Told of the question that was put. */
  readonly onAsked: (question: unknown) => void
}

/** The same side, for one copy. */
export function permitted(side: Side, { signal, reason, onAsked }: Asker): Side {
  const { caller } = side
  const held: Held[] = []

  /** The same input, with the permit that its path has. */
  function withPermit<I>(operation: { readonly name: string }, input: I): I {
    if (held.length === 0) return input
    const asked = { reads: reading.has(operation.name), ...(input as { path: string; for?: Held['meant'] }) }
    const meant = asked.for ?? (asked.reads ? 'read' : 'write')
    const found = held.find((one) => one.meant === meant && one.paths.some((path) => covers(path, asked.path)))
    return found ? { ...input, permit: found.permit } : input
  }

  async function ask(path: string, meant: Held['meant']): Promise<void> {
    const named = hasWildcard(path) ? partsOf(path).base : path
    const options = { signal, onProgress: onAsked }
    const answer = await caller.call(askForFiles, { path: named, for: meant, reason }, options)
    if (answer.permit !== null) held.push({ meant, paths: [named, answer.path], permit: answer.permit })
  }

  const call: Caller['call'] = async (operation, input, options) => {
    try {
      return await caller.call(operation, withPermit(operation, input), options)
    } catch (error) {
      if (operation.name !== lookAtFile.name || !hasCode(error, 'policy.asks')) throw error
      const { path, for: meant = 'read' } = input as { path: string; for?: Held['meant'] }
      await ask(path, meant)
      return await caller.call(operation, withPermit(operation, input), options)
    }
  }
  return {
    ...side,
    ...(side.behind && { behind: { hub: side.behind.hub, prepare: withPermit } }),
    caller: {
      call,
      items: (operation, input, options) => caller.items(operation, withPermit(operation, input), options),
      bytes: (operation, input, options) => caller.bytes(operation, withPermit(operation, input), options),
      upload: (operation, input, body, options) => caller.upload(operation, withPermit(operation, input), body, options),
    },
  }
}

/** Also what is named from the first of the side's directories on. */
function covers(named: string, path: string): boolean {
  return named === '' || path === named || path.startsWith(named.endsWith('/') ? named : `${named}/`)
}
