// One side of a copy: a disk, asked by the contract's file operations, and what people call it.

import type { Caller } from '../contract/caller.ts'
import { asMusterError, MusterError } from '../contract/errors.ts'

export interface Side {
  readonly caller: Caller
  /** A host's name; empty for the machine that copies. */
  readonly name: string
  /** What is the same for the same disk and no other, whatever it is called: of it the ids of transfers are made. */
  readonly id: string
  /** Where it is a host: the hub behind which it is, which can send straight to another of its hosts. */
  readonly behind?: {
    readonly hub: Caller
    /** The same input, with what its requests bear. */
    readonly prepare?: <I>(operation: { readonly name: string }, input: I) => I
  }
}

export interface Place {
  readonly side: Side
  readonly path: string
}

/** `box:/srv/data`, or a plain path for what is here. */
export function placeText({ side, path }: Place): string {
  return side.name === '' ? path : `${side.name}:${path}`
}

/** The same failure, with the side in its sentence. */
export async function onSide<T>(side: Side, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw sideError(side, error)
  }
}

export function sideError(side: Pick<Side, 'name'>, thrown: unknown): MusterError {
  const error = asMusterError(thrown)
  if (side.name === '' || isAboutWay(error)) return error
  return new MusterError({ ...error.toValue(), message: `${side.name}: ${error.message}` }, { cause: error })
}

/** Not about a file: such an error ends a whole copy. */
export function isAboutWay({ code }: MusterError): boolean {
  return !/^(file|policy)\./.test(code)
}
