// Sides for tests: a directory as a host would answer for it, and a way to one that breaks.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { implementation, type Principal } from '../contract/implementation.ts'
import { scopes } from '../contract/operation.ts'
import type { CopyRequest } from './copy.ts'
import { type DiskOf, fileOperations } from './disk/operations.ts'
import type { Side } from './side.ts'

const tester: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(scopes) }

export interface TestSide extends AsyncDisposable, Side {
  readonly root: string
  /** As after the end of its process: what it had counted is forgotten. */
  again(): Side
}

export async function testSide(name: string, of: Partial<DiskOf> = {}): Promise<TestSide> {
  const root = await mkdtemp(join(tmpdir(), `muster-${name}-`))
  const open = () =>
    direct(implementation(...fileOperations({ jail: () => ({ roots: [root] }), allow: () => undefined, ...of })), tester)
  const side = () => ({ caller: open(), name, id: name })
  return { ...side(), root, again: side, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) }
}

export interface Line {
  /** Bytes until the next break; undefined for none any more. */
  readonly breaksAfter: () => number | undefined
  /** Told of each break: how many bytes were sent to the side that have not come to it. */
  readonly onBreak?: () => void
}

/** The same side, uploads to which break. What was on its way does not arrive. */
export function breaking(side: Side, { breaksAfter, onBreak }: Line): Side {
  const upload: Caller['upload'] = async (operation, input, body, options) => {
    const after = breaksAfter()
    if (after === undefined) return await side.caller.upload(operation, input, body, options)
    const broken = failure('wire.closed', { reason: 'the test broke it' })
    let left = after
    async function* part(): AsyncGenerator<Uint8Array> {
      for await (const piece of body) {
        if (piece.byteLength > left) {
          if (left > 0) yield piece.subarray(0, left)
          onBreak?.()
          throw broken
        }
        left -= piece.byteLength
        yield piece
      }
    }
    return await side.caller.upload(operation, input, part(), options)
  }
  return { ...side, caller: { ...side.caller, upload } }
}

export function request(from: Side, path: string, to: Side, target: string, more: Partial<CopyRequest> = {}): CopyRequest {
  return {
    sources: [{ side: from, path }],
    target: { side: to, path: target },
    intoDirectory: false,
    recursive: true,
    again: false,
    replace: true,
    dryRun: false,
    signal: new AbortController().signal,
    ...more,
  }
}
