// The door behind which every operation of a hub or a host lies: what is asked there goes into an audit log by being asked, so
// that no operation can forget it. Reading leaves no entry, unless it is refused.

import type { AuditDecision, AuditEntry, NewAuditEntry } from './audit.ts'
import { isCommandPattern } from './command-name.ts'
import { MusterError } from './errors.ts'
import { type Bound, type CallContext, type Implementation, implementation, type Principal } from './implementation.ts'
import type { Operation } from './operation.ts'

type Outcome = Partial<Pick<AuditEntry, 'decision' | 'why' | 'subject' | 'digest' | 'detail'>>

/** An entry that waits for its commit. */
export interface NotedEntry {
  /** Says how it went on. False: it is written already, as it was. */
  mend(outcome: Outcome): boolean
  /** Resolves once it is on disk, or that was tried: for what must not be answered before. */
  tried(): Promise<void>
}

/** Where entries go. */
export interface AuditSink {
  /** `durable`: resolves once it is on disk, and rejects, with nothing recorded, if it cannot be. Otherwise like `note`. */
  record(entry: NewAuditEntry, how: { durable: boolean }): Promise<void>
  /** Joins the next commit. */
  note(entry: NewAuditEntry): NotedEntry
  /** Undefined while it can take more, else for how long to wait. Throws `store.unavailable`. */
  room(): Promise<void> | undefined
}

export interface AuditDoor {
  readonly sink: AuditSink
  /** Takes each refusal once, which may be one of a flood. `noted`: the entry that says so far that it was let in. */
  readonly refused: (error: MusterError, entry: () => NewAuditEntry | Promise<NewAuditEntry>, noted?: NotedEntry) => Promise<void>
  /** The operation that is really asked for: one may be the envelope of another. */
  readonly meant: (operation: Operation, input: unknown) => Operation
  /** The id of the host that is asked, or that the input names. */
  readonly hostOf: (input: Fields) => string | null | Promise<string | null>
}

type Fields = Readonly<Record<string, unknown>>

/** What may change something: more than the scope `read` is asked for, and more than an answer is wanted; or what says so itself. */
export function changes({ scope, http, audited: says }: Operation): boolean {
  return says ?? (scope !== 'read' && !http?.startsWith('GET '))
}

/** What decides who may do what, and whatever ends a machine's work: on disk before it is done. */
export function isGrave(operation: Operation): boolean {
  return changes(operation) && (operation.scope === 'admin' || operation.scope === 'approve')
}

/** Whoever asked was turned away; anything else that fails was let in first. */
export function isRefusal(thrown: unknown): thrown is MusterError {
  return thrown instanceof MusterError && (thrown.status === 401 || thrown.status === 403)
}

/** What became of a question to a person that nobody has answered: neither let in nor turned away. */
const unanswered: Readonly<Record<string, AuditDecision>> = {
  'approval.timeout': 'timeout',
  'approval.unavailable': 'unavailable',
}

/** The same offers, with everything that is asked of them in the log. */
export function audited(offers: Implementation, door: AuditDoor): Implementation {
  return implementation(...[...offers.values()].map((bound) => auditedOne(bound, door)))
}

function auditedOne({ operation, handle }: Bound, door: AuditDoor): Bound {
  const turnedAway: Bound['turnedAway'] = (error, input, principal) =>
    void door.refused(error, () => entryOf(operation, input, principal, door))
  const { begin, failed, heard } = passing(operation, door)
  if (operation.kind === 'call' || operation.kind === 'upload') {
    return {
      operation,
      turnedAway,
      async handle(input, context, body) {
        const noted = await begin(input, context)
        try {
          const answer = await handle(input, heard(input, context, noted), body)
          if (noted && subjectOf(operation, input) === null) nameSubject(noted, answer)
          return answer
        } catch (error) {
          await failed(error, input, context, noted)
          throw error
        }
      },
    }
  }
  return {
    operation,
    turnedAway,
    async *handle(input, context, body) {
      const noted = await begin(input, context)
      try {
        yield* handle(input, context, body) as AsyncIterable<unknown>
      } catch (error) {
        await failed(error, input, context, noted)
        throw error
      }
    },
  }
}

/** What one operation does at the door: before it is carried out, and when that failed. */
function passing(operation: Operation, door: AuditDoor) {
  const counts = changes(operation)
  return {
    async begin(input: unknown, { principal }: CallContext): Promise<NotedEntry | undefined> {
      if (!counts) return undefined
      const wait = door.sink.room()
      if (wait !== undefined) await wait
      const entry: NewAuditEntry = { ...(await entryOf(operation, input, principal, door)), decision: 'allowed' }
      if (!isGrave(operation) && !isGrave(door.meant(operation, input))) return door.sink.note(entry)
      await door.sink.record(entry, { durable: true })
      return undefined
    },
    async failed(error: unknown, input: unknown, { principal }: CallContext, noted?: NotedEntry): Promise<void> {
      if (isRefusal(error)) return door.refused(error, () => entryOf(operation, input, principal, door), noted)
      const decision = error instanceof MusterError ? unanswered[error.code] : undefined
      if (!counts || decision === undefined) return
      const outcome: Outcome = { decision, why: (error as MusterError).code }
      if (!noted?.mend(outcome)) door.sink.note({ ...(await entryOf(operation, input, principal, door)), ...outcome })
    },
    /** With an ear for what the handler decides. */
    heard(input: unknown, context: CallContext, noted: NotedEntry | undefined): CallContext {
      if (!counts) return context
      return {
        ...context,
        async decided(how, { durable } = { durable: false }) {
          if (!durable && noted?.mend(how)) return
          await door.sink.record({ ...(await entryOf(operation, input, context.principal, door)), ...how }, { durable })
        },
      }
    },
  }
}

/** A submission gets its run's id here; whoever asks for one that is there names it. */
function nameSubject(noted: NotedEntry, answer: unknown): void {
  if (typeof answer === 'object' && answer !== null && 'id' in answer) noted.mend({ subject: plain(answer.id) })
}

/** Fields that name what an operation is about, the most telling first. All else of an input stays out of the log. */
const subjects = ['run', 'command', 'proc', 'approval', 'path', 'name'] as const
/** Fields of few known values that say what was asked for. */
const details = ['role', 'method', 'outcome'] as const
/** Fields that list patterns of commands: what is given or taken away. */
const patternLists = ['trust', 'allow', 'add', 'remove'] as const
const longestText = 200

async function entryOf(
  operation: Operation,
  input: unknown,
  principal: Principal,
  { hostOf }: AuditDoor,
): Promise<NewAuditEntry> {
  const fields = fieldsOf(input)
  const detail = Object.fromEntries([
    ...details.flatMap((name) => (typeof fields[name] === 'string' ? [[name, plain(fields[name])]] : [])),
    ...patternLists.flatMap((name) => (isPatterns(fields[name]) ? [[name, plain(fields[name].join(' '))]] : [])),
  ])
  return {
    actor: actorOf(principal),
    action: operation.name,
    host: await hostOf(fields),
    subject: subjectOf(operation, input),
    decision: 'denied',
    digest: isDigest(fields.digest) ? fields.digest : null,
    detail: Object.keys(detail).length > 0 ? detail : null,
  }
}

function subjectOf(operation: Operation, input: unknown): string | null {
  const fields = fieldsOf(input)
  // Elsewhere a field of that name holds the token itself.
  const known = operation.http?.endsWith('/:token') ? ['token'] : subjects
  return plain(known.map((name) => fields[name]).find((value) => typeof value === 'string'))
}

function isPatterns(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && isCommandPattern(one))
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

function fieldsOf(input: unknown): Fields {
  return typeof input === 'object' && input !== null ? (input as Fields) : {}
}

export function actorOf({ kind, id, role, token }: Principal): NewAuditEntry['actor'] {
  return { kind, id, role, name: token?.name ?? null }
}

/** Short, on one line, and no token that somebody gave where its id was wanted. */
export function plain(value: unknown): string | null {
  if (typeof value !== 'string') return null
  if (/^m[a-z]+_\w{24}/.test(value)) return '(withheld: it looks like a secret)'
  return value.replace(/\p{C}/gu, ' ').slice(0, longestText)
}
