// A host's catalog as its hub keeps it, where the host means ill.

import { expect, test } from 'vitest'
import { listCommands } from '../contract/command.ts'
import { direct } from '../contract/direct.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { knownCommands } from './known-commands.ts'

const itself: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(['read']) }
const { signal } = new AbortController()

/** As it comes over the wire: JSON is parsed however deep it is. */
function nested(keyword: string, depth: number): Record<string, unknown> {
  return JSON.parse(`${`{"${keyword}":`.repeat(depth)}{}${'}'.repeat(depth)}`)
}

function entry(name: string, params: Record<string, unknown>) {
  return { name, description: '', params, result: {}, sensitive: false, source: 'builtin' as const, exposure: 'allow' as const }
}

test('schemas that are nested without end neither end the hub nor keep another command from being checked', async () => {
  const plain = { type: 'object', required: ['argv'] }
  const commands = [entry('deep', nested('items', 100_000)), entry('exec', plain), entry('wide', nested('properties', 5_000))]
  const caller = direct(implementation(implement(listCommands, async () => ({ commands, corrupt: [] }))), itself)
  const known = knownCommands()
  const problem = (command: string) => known.problem(caller, command, 'params', {}, signal)
  expect(await problem('exec')).toContain('argv')
  expect(await problem('deep')).toBeUndefined()
  expect(await problem('wide')).toBeUndefined()
})

test('of a long catalog only what is invoked is compiled', async () => {
  const costly = (n: number) => ({ title: `${n}`, anyOf: Array.from({ length: 800 }, () => ({ type: 'object' })) })
  const commands = Array.from({ length: 500 }, (_, n) => entry(`c${n}`, costly(n)))
  const caller = direct(implementation(implement(listCommands, async () => ({ commands, corrupt: [] }))), itself)
  // All of them take a minute and more.
  expect(await knownCommands().problem(caller, 'c1', 'params', {}, signal)).toBeUndefined()
}, 30_000)
