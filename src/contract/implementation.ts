// The answering side of the contract: handlers bound to operations, and the one door where input is parsed and scope checked.
// Wire, HTTP and the in-process carrier all come through `admit`; no handler checks a schema or a scope itself.

import type { z } from 'zod'
import type { AuditEntry } from './audit.ts'
import { failure, type MusterError } from './errors.ts'
import type {
  BytesOperation,
  CallOperation,
  ItemsOperation,
  Operation,
  OutputOf,
  ParsedOf,
  Scope,
  UploadOperation,
} from './operation.ts'

/** Who asks. Stamped by the carrier from the connection, never read from a message. */
export interface Principal {
  /** `user`: a token or the local socket. `hub`, `node`, `proc`: a key proven in the handshake. `self`: this process. */
  readonly kind: 'user' | 'hub' | 'node' | 'proc' | 'self'
  /** Token id, host id, key fingerprint or proc name. */
  readonly id: string
  readonly role: string
  readonly scopes: ReadonlySet<Scope>
  /** Where it is a token that says who asks. */
  readonly token?: TokenInUse
}

export interface TokenInUse {
  readonly name: string
  readonly expiresAt: string | null
  /** Aborted, with why, once the token is good for nothing any more: what it has open ends then. */
  readonly ended: AbortSignal
}

export interface CallContext {
  readonly principal: Principal
  /** Aborted when the caller cancels, its deadline passes or its connection closes. */
  readonly signal: AbortSignal
  readonly progress: (value: unknown) => void
  /**
   * For a handler that decides more than the door before it has: it says how, and the door writes that down. `durable`: resolves once it
   * is on disk, and rejects if it cannot be.
   */
  readonly decided?: (how: Decided, options?: { durable: boolean }) => Promise<void>
}

/** As an entry of the audit log has it. */
export type Decided = Partial<Pick<AuditEntry, 'decision' | 'why' | 'digest' | 'detail'>>

export type Handler<O extends Operation> = O extends CallOperation
  ? (input: ParsedOf<O>, context: CallContext) => Promise<OutputOf<O>>
  : O extends ItemsOperation
    ? (input: ParsedOf<O>, context: CallContext) => AsyncIterable<OutputOf<O>>
    : O extends BytesOperation
      ? (input: ParsedOf<O>, context: CallContext) => AsyncIterable<Uint8Array>
      : O extends UploadOperation
        ? (input: ParsedOf<O>, context: CallContext, body: AsyncIterable<Uint8Array>) => Promise<OutputOf<O>>
        : never

/** A handler whose types are hidden behind its operation; only `admit` hands it input, already parsed. */
export interface Bound {
  readonly operation: Operation
  readonly handle: (
    input: unknown,
    context: CallContext,
    body: AsyncIterable<Uint8Array>,
  ) => Promise<unknown> | AsyncIterable<unknown>
  /** Told of a caller who lacks the scope. */
  readonly turnedAway?: (error: MusterError, input: unknown, principal: Principal) => void
}

export type Implementation = ReadonlyMap<string, Bound>

export function implement<O extends Operation>(operation: O, handler: Handler<O>): Bound {
  return { operation, handle: handler as Bound['handle'] }
}

export function implementation(...bound: readonly Bound[]): Implementation {
  return new Map(bound.map((one) => [one.operation.name, one]))
}

/** Lets a call in: known operation, sufficient scope, valid input. Returns what to run and the parsed input. */
export function admit(
  offered: Implementation,
  name: string,
  input: unknown,
  principal: Principal,
): { bound: Bound; input: unknown } {
  const bound = offered.get(name)
  if (!bound) throw failure('operation.unknown', { operation: name })
  try {
    requireScope(bound.operation, principal)
  } catch (error) {
    bound.turnedAway?.(error as MusterError, input, principal)
    throw error
  }
  return { bound, input: parseInput(bound.operation, input) }
}

/** Throws `auth.forbidden`. A carrier that must look something up first asks it before, so that strangers learn nothing. */
export function requireScope(operation: { name: string; scope: Scope }, principal: Principal): void {
  if (principal.scopes.has(operation.scope)) return
  throw failure('auth.forbidden', { operation: operation.name, scope: operation.scope, role: principal.role })
}

function parseInput(operation: Operation, input: unknown): unknown {
  const parsed = operation.input.safeParse(input ?? {})
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues.map(describeIssue).join('; ')
  throw failure('input.invalid', { what: operation.name, problem })
}

/** One schema problem in words: `spec.cwd: it has more than 4096 characters`. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.map(String).join('.')
  return where === '' ? problemOf(issue) : `${where}: ${problemOf(issue)}`
}

/** Where a schema has no words of its own, zod's are for programmers. */
function problemOf(issue: z.core.$ZodIssue): string {
  const isText = 'origin' in issue && issue.origin === 'string'
  if (issue.code === 'too_big' && isText && issue.message.startsWith('Too big'))
    return `it has more than ${issue.maximum} characters`
  if (issue.code === 'too_small' && isText && issue.minimum === 1 && issue.message.startsWith('Too small')) return 'it is empty'
  if (issue.code === 'invalid_key') return issue.issues.map(describeIssue).join('; ')
  return issue.message
}
