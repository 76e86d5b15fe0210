// The disk of this process's own account as one side of a copy: all of it, as `cp` has it, or what is in some directories.

import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { implementation, type Principal } from '../contract/implementation.ts'
import { scopes } from '../contract/operation.ts'
import { fileOperations } from './disk/operations.ts'
import type { SmallFiles } from './disk/small-files.ts'

const thisAccount: Principal = { kind: 'self', id: 'here', role: 'operator', scopes: new Set(scopes) }

export function filesHere({ roots = ['/'], smallFiles }: { roots?: readonly string[]; smallFiles?: SmallFiles } = {}): Caller {
  const disk = { jail: () => ({ roots }), allow: () => undefined, ...(smallFiles && { smallFiles }) }
  return direct(implementation(...fileOperations(disk)), thisAccount)
}
