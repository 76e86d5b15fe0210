// Invoking through a hub: what it checks itself, what it says of a link that breaks, and one invocation on many hosts.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invokeCommand, invokeOnFleet, listCommands } from '../../src/contract/command.ts'
import { asMusterError, failure } from '../../src/contract/errors.ts'
import { labelHost } from '../../src/contract/host.ts'
import { type Bound, type Implementation, implement } from '../../src/contract/implementation.ts'
import { callProc } from '../../src/contract/proc.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

const allow = ['runs', 'exec', 'system.*']
let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const offering =
  (...bound: Bound[]) =>
  (its: Implementation): Implementation =>
    new Map([...its, ...bound.map((one) => [one.operation.name, one] as const)])

const entry = {
  name: 'exec',
  description: 'd',
  params: { type: 'object', properties: { argv: { type: 'array' } }, required: ['argv'] },
  result: { type: 'string' },
  sensitive: false,
  source: 'builtin' as const,
  exposure: 'allow' as const,
}

describe('one host', () => {
  test('parameters are checked before they are sent, by the catalog as it is now', async () => {
    let invoked = 0
    let reads = 0
    let wants = 'argv'
    const answers = offering(
      implement(listCommands, async () => {
        reads++
        return { commands: [{ ...entry, params: { type: 'object', required: [wants] } }], corrupt: [] }
      }),
      implement(invokeCommand, async () => ({ result: String(++invoked) })),
    )
    await using _node = await hub.join('checked', answers)
    const box = await hub.host('checked')
    await expect(box.call(invokeCommand, { command: 'exec', params: {} })).rejects.toMatchObject({ code: 'input.invalid' })
    expect(invoked).toBe(0)
    for (const result of ['1', '2'])
      expect(await box.call(invokeCommand, { command: 'exec', params: { argv: [] } })).toEqual({ result })
    expect(reads).toBe(1)
    // It was declared anew since: what no longer fits the copy is held against the catalog itself.
    wants = 'other'
    expect(await box.call(invokeCommand, { command: 'exec', params: { other: 1 } })).toEqual({ result: '3' })
    expect(reads).toBe(2)
  })

  test('a result that is not what the catalog says is no result', async () => {
    const answers = offering(
      implement(listCommands, async () => ({ commands: [entry], corrupt: [] })),
      implement(invokeCommand, async () => ({ result: 5 })),
    )
    await using _node = await hub.join('liar', answers)
    const box = await hub.host('liar')
    await expect(box.call(invokeCommand, { command: 'exec', params: { argv: [] } })).rejects.toMatchObject({
      code: 'command.result',
    })
  })

  test("a host's schemas cost the hub nothing: no regular expression of theirs is run, and none that cannot be used keeps a command from running", async () => {
    const evil = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } }
    const broken = { type: 'object', properties: { a: { minLength: 'x' } } }
    const bomb = { $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' }
    for (const [n, params] of [evil, broken, bomb].entries()) {
      const answers = offering(
        implement(listCommands, async () => ({ commands: [{ ...entry, params }], corrupt: [] })),
        implement(invokeCommand, async () => ({ result: 'ran' })),
      )
      await using _node = await hub.join(`strange-${n}`, answers)
      const box = await hub.host(`strange-${n}`)
      const given = { command: 'exec', params: { a: `${'a'.repeat(50)}!` } }
      expect(await box.call(invokeCommand, given, { timeoutMs: 10_000 })).toEqual({ result: 'ran' })
    }
  })

  test('by way of the built-in proc it is judged the same', async () => {
    await using _node = await hub.join('box', undefined, allow)
    const params = { command: 'exec', params: { argv: ['true'] } }
    const box = await hub.host('box')
    expect(await box.call(callProc, { proc: 'service', method: 'command.invoke', params })).toMatchObject({ result: { code: 0 } })
    await expect(box.call(callProc, { proc: 'service', method: 'command.invoke', params: { command: 5 } })).rejects.toMatchObject(
      {
        code: 'input.invalid',
      },
    )
  })

  test('a link that breaks before the answer ends the call at once, and it is not known what came of it', async () => {
    const reached = Promise.withResolvers<void>()
    const answers = offering(
      implement(listCommands, async () => ({ commands: [], corrupt: [] })),
      implement(invokeCommand, (_input, { signal }) => {
        reached.resolve()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }),
    )
    await using node = await hub.join('breaks', answers)
    const box = await hub.host('breaks')
    const asked = box.call(invokeCommand, { command: 'exec' }).then(
      () => undefined,
      (error) => ({ ...asMusterError(error).toValue(), atMs: performance.now() }),
    )
    await reached.promise
    const brokenAtMs = performance.now()
    await node.cut()
    const told = await asked
    expect(told).toMatchObject({ code: 'invoke.no_answer', retryable: false })
    expect((told?.atMs ?? 0) - brokenAtMs).toBeLessThan(5_000)
    await expect(box.call(invokeCommand, { command: 'exec' })).rejects.toMatchObject({ code: 'invoke.not_sent', retryable: true })
  })
})

describe('several hosts', () => {
  test('are asked at once; equal results are one group, in the order of names; what fails spoils nothing', async () => {
    const fails = offering(
      implement(listCommands, async () => ({ commands: [], corrupt: [] })),
      implement(invokeCommand, async () => {
        throw failure('command.failed', { command: 'exec', how: 'exit 1', stderr: '' })
      }),
    )
    await using nodes = new AsyncDisposableStack()
    for (const name of ['web-2', 'web-1', 'web-3']) nodes.use(await hub.join(name, undefined, allow))
    nodes.use(await hub.join('web-4', fails))
    for (const n of [1, 2, 3, 4])
      await hub.caller.call(labelHost, { host: `web-${n}`, set: { tier: 'web', odd: String(n % 2 === 1) } })
    const progress: unknown[] = []
    const answer = await hub.caller.call(
      invokeOnFleet,
      { labels: ['tier=web'], command: 'exec', params: { argv: ['/bin/sh', '-c', 'echo same'] } },
      { onProgress: (value) => progress.push(value) },
    )
    expect(answer).toMatchObject({
      hosts: 4,
      failed: 1,
      groups: [
        { hosts: ['web-1', 'web-2', 'web-3'], result: { stdout: 'same\n' }, error: null },
        { hosts: ['web-4'], error: { code: 'command.failed' } },
      ],
    })
    expect(progress.map((value) => (value as { host: string }).host).toSorted()).toEqual(['web-1', 'web-2', 'web-3'])
    const chosen = async (input: { hosts?: string[]; labels?: string[] }) => {
      const { groups } = await hub.caller.call(invokeOnFleet, { ...input, command: 'exec', params: { argv: ['true'] } })
      return groups.flatMap(({ hosts }) => hosts).toSorted()
    }
    expect(await chosen({ labels: ['tier', 'odd=true'] })).toEqual(['web-1', 'web-3'])
    expect(await chosen({ hosts: ['web-2', 'WEB-1', 'web-1'], labels: ['odd!=false'] })).toEqual(['web-1'])
    expect(await chosen({ hosts: ['web-2', 'web-1'] })).toEqual(['web-1', 'web-2'])
    await expect(chosen({ labels: ['tier=db'] })).rejects.toMatchObject({ code: 'invoke.no_hosts' })
    await expect(chosen({})).rejects.toMatchObject({ code: 'invoke.no_hosts' })
    await expect(chosen({ hosts: ['nobody'] })).rejects.toMatchObject({ code: 'host.unknown' })
  })

  test('one that does not answer in time is told as such, and the others are answered', async () => {
    const silent = offering(
      implement(listCommands, async () => ({ commands: [], corrupt: [] })),
      implement(
        invokeCommand,
        (_input, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ),
    )
    await using _slow = await hub.join('slow', silent)
    await using _quick = await hub.join('quick', undefined, allow)
    const answer = await hub.caller.call(invokeOnFleet, { hosts: ['slow', 'quick'], command: 'system.info', timeoutMs: 1_000 })
    expect(answer).toMatchObject({
      failed: 1,
      groups: [
        { hosts: ['quick'], error: null },
        { hosts: ['slow'], error: { code: 'invoke.no_answer' } },
      ],
    })
  })
})
