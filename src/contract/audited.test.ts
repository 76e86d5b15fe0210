import { describe, expect, test, vi } from 'vitest'
import type { NewAuditEntry } from './audit.ts'
import { type AuditDoor, audited, changes, isGrave } from './audited.ts'
import { failure } from './errors.ts'
import { submitRun } from './fleet.ts'
import { admit, type Bound, type CallContext, implementation, type Principal } from './implementation.ts'
import { type Operation, scopes } from './operation.ts'
import { hostOperations, hubOperations } from './operations.ts'
import { callProc } from './proc.ts'
import { cancelRun } from './run.ts'
import { revokeToken } from './token.ts'

const operator: Principal = { kind: 'user', id: 'tok_1', role: 'operator', scopes: new Set(scopes) }
const context: CallContext = { principal: operator, signal: new AbortController().signal, progress: () => {} }
const noBody: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

/** A door that writes down what happens at it, in order. */
function openTestDoor({ late = false } = {}) {
  const happened: string[] = []
  const entries: NewAuditEntry[] = []
  const put = (entry: NewAuditEntry) => entries.push({ ...entry }) - 1
  const door: AuditDoor = {
    sink: {
      async record(entry, { durable }) {
        happened.push(durable ? 'durable' : 'noted')
        put(entry)
      },
      note(entry) {
        happened.push('noted')
        const at = put(entry)
        return {
          mend(outcome) {
            if (!late) Object.assign(entries[at] as NewAuditEntry, outcome)
            return !late
          },
          tried: async () => {},
        }
      },
      room: () => undefined,
    },
    async refused(error, entry, noted) {
      happened.push('refused')
      if (!noted?.mend({ decision: 'denied', why: error.code })) put({ ...(await entry()), decision: 'denied', why: error.code })
    },
    meant: (operation) => operation,
    hostOf: ({ host }) => (typeof host === 'string' ? host : null),
  }
  return { door, happened, entries }
}

function boundTo(operation: Operation, work: () => unknown): Bound {
  if (operation.kind === 'call' || operation.kind === 'upload') return { operation, handle: async () => work() }
  return {
    operation,
    async *handle() {
      yield work()
    },
  }
}

async function ask(bound: Bound | undefined, input: unknown): Promise<unknown> {
  const answer = bound?.handle(input, context, noBody)
  if (answer instanceof Promise) return answer
  for await (const _one of answer ?? []);
  return undefined
}

describe.each([...hubOperations, ...hostOperations])('$name', (operation) => {
  const grave = isGrave(operation)

  test('leaves an entry if it may change something, before it is done, and on disk if it is grave', async () => {
    const { door, happened, entries } = openTestDoor()
    const offers = audited(implementation(boundTo(operation, () => happened.push('done'))), door)
    await ask(offers.get(operation.name), { run: 'r1' })
    expect(happened).toEqual(changes(operation) ? [grave ? 'durable' : 'noted', 'done'] : ['done'])
    expect(entries.map(({ action, decision }) => [action, decision])).toEqual(
      changes(operation) ? [[operation.name, 'allowed']] : [],
    )
  })

  test('leaves one when it is refused', async () => {
    const { door, entries } = openTestDoor()
    const refuse = () => {
      throw failure('policy.denied', { command: 'runs' })
    }
    const offers = audited(implementation(boundTo(operation, refuse)), door)
    await expect(ask(offers.get(operation.name), {})).rejects.toMatchObject({ code: 'policy.denied' })
    expect(entries.at(-1)).toMatchObject({
      action: operation.name,
      decision: 'denied',
      why: 'policy.denied',
      actor: { id: 'tok_1' },
    })
    expect(entries).toHaveLength(grave ? 2 : 1)
  })

  test('leaves one when its caller lacks the scope', async () => {
    const { door, entries } = openTestDoor()
    const nobody: Principal = { kind: 'node', id: 'box', role: 'node', scopes: new Set() }
    const offers = audited(implementation(boundTo(operation, () => undefined)), door)
    expect(() => admit(offers, operation.name, { run: 'r1' }, nobody)).toThrow(
      expect.objectContaining({ code: 'auth.forbidden' }),
    )
    await vi.waitFor(() =>
      expect(entries).toMatchObject([
        { action: operation.name, decision: 'denied', why: 'auth.forbidden', actor: { id: 'box' } },
      ]),
    )
  })
})

test('who may give away rights is grave, and so is an answer to an approval; starting and ending work is not', () => {
  const grave = [...hubOperations, ...hostOperations].filter(isGrave).map(({ name }) => name)
  expect(grave).toEqual(
    expect.arrayContaining([
      'token.create',
      'token.revoke',
      'fleet.add',
      'fleet.remove',
      'node.enroll',
      'fleet.token',
      'host.shutdown',
    ]),
  )
  expect(grave).not.toContain('run.start')
})

test('a grave one that cannot be recorded is not done', async () => {
  const { door } = openTestDoor()
  let done = false
  const sink = { ...door.sink, record: () => Promise.reject(failure('store.unavailable', { problem: 'no room' })) }
  const offers = audited(implementation(boundTo(revokeToken, () => (done = true))), { ...door, sink })
  await expect(ask(offers.get('token.revoke'), { token: 'tok_2' })).rejects.toMatchObject({ code: 'store.unavailable' })
  expect(done).toBe(false)
})

test('a refusal that comes after the entry was written has one of its own', async () => {
  const { door, entries } = openTestDoor({ late: true })
  const refuse = () => {
    throw failure('policy.denied', { command: 'runs' })
  }
  await ask(audited(implementation(boundTo(cancelRun, refuse)), door).get('run.cancel'), { run: 'r1' }).catch(() => undefined)
  expect(entries).toMatchObject([{ decision: 'allowed' }, { decision: 'denied', why: 'policy.denied', subject: 'r1' }])
})

test('an envelope of something grave is grave', async () => {
  const { door, happened } = openTestDoor()
  const offers = audited(implementation(boundTo(callProc, () => null)), { ...door, meant: () => revokeToken })
  await ask(offers.get('proc.call'), { proc: 'service', method: 'token.revoke', params: {} })
  expect(happened).toEqual(['durable'])
})

test('of an input only what names its subject is told: no values, and no token given where its id was wanted', async () => {
  const { door, entries } = openTestDoor()
  const secret = `mtok_${'f'.repeat(64)}`
  const offers = audited(
    implementation(
      boundTo(submitRun, () => ({ id: 'run_1' })),
      boundTo(callProc, () => null),
      boundTo(revokeToken, () => null),
    ),
    door,
  )
  await ask(offers.get('fleet.submit'), { host: 'box', spec: { argv: ['x', secret], env: { A: secret } }, token: secret, secret })
  await ask(offers.get('proc.call'), { proc: 'service', method: 'run.start', params: { spec: secret } })
  await ask(offers.get('token.revoke'), { token: secret })
  await ask(offers.get('token.revoke'), { token: `na\u001bme${'x'.repeat(500)}` })
  expect(entries.map(({ host, subject, detail }) => ({ host, subject, detail }))).toEqual([
    { host: 'box', subject: 'run_1', detail: null },
    { host: null, subject: 'service', detail: { method: 'run.start' } },
    { host: null, subject: '(withheld: it looks like a secret)', detail: null },
    { host: null, subject: `na me${'x'.repeat(195)}`, detail: null },
  ])
})
