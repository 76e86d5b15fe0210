// Sends files straight from one host to another: reads from the one as fast as the other takes, each as whoever has asked.

import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { gatherFiles, getFile, putFile, scatterFiles } from '../contract/file.ts'
import type { Handler, Implementation } from '../contract/implementation.ts'
import type { relayFiles } from '../contract/relay.ts'
import { sideError } from '../transfer/side.ts'
import type { Fleet, FleetHost } from './fleet.ts'

const tellEveryMs = 100

export interface RelayOf {
  readonly fleet: Pick<Fleet, 'find'>
  readonly offersOf: (host: FleetHost) => Implementation
}

/** What a host says comes with its name, as it does from `muster cp`. */
export function relayer({ fleet, offersOf }: RelayOf): Handler<typeof relayFiles> {
  return async ({ what, from, read, to, write }, { principal, signal, progress }) => {
    const [source, target] = [fleet.find(from), fleet.find(to)]
    const [reading, writing] = what === 'file' ? [getFile, putFile] : [gatherFiles, scatterFiles]
    const most = typeof read.limit === 'number' ? read.limit : Infinity
    let broken: { readonly error: unknown } | undefined
    async function* body(): AsyncGenerator<Uint8Array> {
      let bytes = 0
      let toldAtMs = -Infinity
      try {
        for await (const piece of direct(offersOf(source), principal).bytes(reading, read as never, { signal })) {
          bytes += piece.byteLength
          // More than was asked for is not the file that was looked at.
          if (bytes > most) throw failure('file.changed', { file: String(read.path) })
          yield piece
          if (performance.now() - toldAtMs < tellEveryMs) continue
          toldAtMs = performance.now()
          progress({ bytes })
        }
        progress({ bytes })
      } catch (error) {
        broken = { error }
        throw error
      }
    }
    try {
      return { answer: await direct(offersOf(target), principal).upload(writing, write as never, body(), { signal }) }
    } catch (error) {
      throw broken ? sideError(source, broken.error) : sideError(target, error)
    }
  }
}
