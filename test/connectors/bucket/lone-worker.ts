// A bucket in memory and workers at it in the test's own process, before hosts that only note what they are asked: for what takes a state that
// real processes come to by chance alone.

import { join } from 'node:path'
import { pino } from 'pino'
import { type Claims, openClaims } from '../../../src/connectors/bucket/claims.ts'
import { seal, unseal } from '../../../src/connectors/bucket/envelope.ts'
import { introduce, joinCommand, joinKeyOf, parseJoinToken } from '../../../src/connectors/bucket/join-token.ts'
import { parseKey } from '../../../src/connectors/bucket/keys.ts'
import { SegmentMessage } from '../../../src/connectors/bucket/messages.ts'
import { openNews } from '../../../src/connectors/bucket/news.ts'
import type { Objects } from '../../../src/connectors/bucket/objects.ts'
import { untilAborted } from '../../../src/connectors/bucket/until-aborted.ts'
import { work } from '../../../src/connectors/bucket/worker.ts'
import { openWorkerHome } from '../../../src/connectors/bucket/worker-home.ts'
import type { Caller, CallOptions } from '../../../src/contract/caller.ts'
import { failure } from '../../../src/contract/errors.ts'
import { type Identity, temporaryIdentity } from '../../../src/wire/identity.ts'
import { makeHome } from '../../resources/home.ts'
import { tokenIn } from './fixture.ts'

export const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
const intervalMs = 50

export interface MemoryObjects extends Objects {
  readonly keys: () => string[]
  /** How often it was listed. */
  readonly lists: () => number
}

export function memoryObjects(): MemoryObjects {
  const stored = new Map<string, { bytes: Uint8Array; tag: string }>()
  let puts = 0
  let lists = 0
  const put: Objects['put'] = async (key, bytes) => void stored.set(key, { bytes, tag: String(++puts) })
  return {
    keys: () => [...stored.keys()].sort(),
    lists: () => lists,
    put,
    async putIfAbsent(key, bytes) {
      if (stored.has(key)) return false
      await put(key, bytes)
      return true
    },
    get: async (key) => stored.get(key)?.bytes,
    async *list(prefix) {
      lists++
      for (const [key, { bytes, tag }] of [...stored]) if (key.startsWith(prefix)) yield { key, tag, size: bytes.byteLength }
    },
    delete: async (key) => void stored.delete(key),
  }
}

export interface Member {
  readonly id: string
  readonly identity: Identity
  readonly introduction: string
}

export interface LoneBucket {
  readonly objects: MemoryObjects
  readonly hub: Identity
  /** As the hub does. */
  put(key: string, message: unknown): Promise<void>
  /** A worker that has joined. */
  join(): Member
  claimsOf(member: Member, leaseMs: number): Claims
  /** The codes of the errors in what a worker has answered, in its order; undefined where it was none. */
  answers(member: Member): Promise<(string | undefined)[]>
  /** Works until it is disposed of; its host has the runs `known`. `asked`: the operations on runs that its host was asked for, but for those that only read. */
  worker(
    member: Member,
    leaseMs: number,
    known?: readonly string[],
  ): Promise<AsyncDisposable & { readonly asked: readonly string[]; readonly home: string }>
}

export function loneBucket(): LoneBucket {
  const objects = memoryObjects()
  const hub = temporaryIdentity()
  const trust = { host, joinKey: joinKeyOf(hub, host), hubKey: hub.publicKey }
  const token = parseJoinToken(tokenIn(joinCommand({ bucket: 's3://drop' }, { host, identity: hub })))
  const claimsOf = ({ identity, introduction }: Member, leaseMs: number) =>
    openClaims({ ...trust, objects, identity, introduction, leaseMs })
  return {
    objects,
    hub,
    put: (key, message) => objects.put(key, seal({ host, key }, { identity: hub }, message)),
    join() {
      const identity = temporaryIdentity()
      return { id: identity.fingerprint, identity, introduction: introduce(token, identity.publicKey).introduction }
    },
    claimsOf,
    async answers({ id }) {
      const keys = objects.keys().filter((key) => parseKey(key)?.kind === 'segment' && key.startsWith(`up/${id}/`))
      const found = await Promise.all(
        keys.map(async (key) => unseal({ host, key }, (await objects.get(key, Infinity)) ?? Buffer.of())),
      )
      return found.flatMap((sealed) => SegmentMessage.parse(sealed?.header).answers).map(({ error }) => error?.code)
    },
    async worker(member, leaseMs, known = []) {
      await using opened = new AsyncDisposableStack()
      const dir = opened.use(await makeHome())
      const homeDir = join(dir.path, 'worker')
      const home = await openWorkerHome(homeDir)
      const log = pino({ enabled: false })
      const asked: string[] = []
      const leaving = new AbortController()
      const working = work({
        objects,
        home,
        trust,
        worker: member,
        claims: claimsOf(member, leaseMs),
        news: openNews({ objects, home, host, worker: member, gatherMs: 10, log }),
        host: notingHost(asked, known),
        intervalMs,
        leaseMs,
        concurrency: 4,
        once: false,
        log,
        signal: leaving.signal,
        onState: () => undefined,
      })
      opened.defer(async () => {
        leaving.abort()
        await working
      })
      const closing = opened.move()
      return { asked, home: homeDir, [Symbol.asyncDispose]: () => closing.disposeAsync() }
    },
  }
}

const never = new AbortController().signal

/** Its runs begin and never end, nor does the command `wait`; the first piece of standard input finds it not ready, and each piece is one byte long. */
function notingHost(asked: string[], known: readonly string[]): Caller {
  const runs = new Set(known)
  const writtenTo = new Map<string, number>()
  let isNotReady = true
  async function call(
    { name }: { name: string },
    { run = '', command }: { run?: string; command?: string },
    { signal }: CallOptions = {},
  ) {
    if (name === 'host.info') return {}
    if (name === 'run.get') {
      if (!runs.has(run)) throw failure('run.unknown', { run })
      return {}
    }
    asked.push(`${name} ${command ?? run}`)
    if (command === 'wait') await untilAborted(new Promise(() => undefined), signal ?? never)
    if (name === 'run.start') runs.add(run)
    return {}
  }
  async function upload({ name }: { name: string }, { run = '', offset = 0 }: { run?: string; offset?: number }) {
    const written = writtenTo.get(run) ?? 0
    if (isNotReady) {
      isNotReady = false
      throw failure('host.not_ready')
    }
    if (offset > written) throw failure('run.stdin_gap', { expected: written, offset })
    writtenTo.set(run, offset + 1)
    asked.push(`${name} ${run} ${offset}`)
    return { written: offset + 1 }
  }
  async function* nothing(_operation: unknown, _input: unknown, { signal }: CallOptions = {}): AsyncGenerator<never> {
    await untilAborted(new Promise(() => undefined), signal ?? never)
  }
  return { call, items: nothing, bytes: nothing, upload } as unknown as Caller
}
