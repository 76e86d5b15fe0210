// What an operation is: the one description from which wire, HTTP API, OpenAPI and typed client are derived.
// An operation never knows who carries it.

import type { z } from 'zod'
import type { ErrorCode } from './errors.ts'

/** What a caller may hold, and what an operation asks for; which role holds which is in `token.ts`. */
export const scopes = ['read', 'operate', 'approve', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** call: one answer. items: a stream of numbered JSON items. bytes: a byte stream down. upload: a byte stream up, then one answer. */
export type OperationKind = 'call' | 'items' | 'bytes' | 'upload'

export interface Operation<
  Kind extends OperationKind = OperationKind,
  In extends z.ZodObject = z.ZodObject,
  Out extends z.ZodType = z.ZodType,
> {
  readonly kind: Kind
  /** Dotted: `run.start`. The name on the wire. */
  readonly name: string
  /** One sentence for the API document and the typed client. */
  readonly summary: string
  readonly input: In
  /** The answer; for `items` one item; for `bytes` unused. */
  readonly output: Out
  /** For a `call`: the values of progress that it tells on its way. Without it, it tells none. */
  readonly reports?: z.ZodType
  /** What a caller may have to handle beside input, auth, wire and deadline errors. */
  readonly errors: readonly ErrorCode[]
  readonly scope: Scope
  /** Whether it may be carried out later, by a host that polls (docs/architecture.md). */
  readonly deferrable: boolean
  /**
   * Where the HTTP API serves it, below /api/v1; `:name` parts come from the input. Host operations get `/hosts/:host` before it.
   * Null: nowhere, since only the hub itself may ask it.
   */
  readonly http: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}` | null
  /** For `items`: the item's field that numbers it. A reader resumes with the input's `after`. */
  readonly numberedBy?: string
  /** For `bytes` and `upload`: whole files. On the wire its stream may run ahead of its reader further than others do. */
  readonly bulk?: true
  /** Asked a second time, it does no more than it did the first time: whoever does not know whether it was carried out asks again. */
  readonly repeatable?: true
  /** Whether being asked leaves an entry in the audit log. Without it: what may change something does. */
  readonly audited?: boolean
}

export type CallOperation = Operation<'call'>
export type ItemsOperation = Operation<'items'>
export type BytesOperation = Operation<'bytes'>
export type UploadOperation = Operation<'upload'>

/** What a caller passes (defaults may be left out). */
export type InputOf<O extends Operation> = z.input<O['input']>
/** What a handler receives (defaults filled in). */
export type ParsedOf<O extends Operation> = z.output<O['input']>
export type OutputOf<O extends Operation> = z.output<O['output']>

/** Declares an operation; the kind stays a literal type so that callers and handlers are typed by it. */
export function operation<const Kind extends OperationKind, In extends z.ZodObject, Out extends z.ZodType>(
  spec: Operation<Kind, In, Out>,
): Operation<Kind, In, Out> {
  return spec
}
