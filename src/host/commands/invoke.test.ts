import { expect, test } from 'vitest'
import { failure } from '../../contract/errors.ts'
import { scopes } from '../../contract/operation.ts'
import { openPolicy } from '../policy.ts'
import type { Catalog } from './catalog.ts'
import type { HostCommand } from './command.ts'
import { openCommands } from './invoke.ts'

test('a command whose file is replaced while it is invoked is judged by what it is itself', async () => {
  const ran: string[] = []
  const deploy = (says: string, sensitive: boolean): HostCommand => ({
    entry: { name: 'deploy', description: says, params: {}, result: {}, sensitive, source: 'declared' },
    prepare: () => ({ shown: { params: {} }, run: async () => ran.push(says) }),
  })
  let current = deploy('the sensitive one', true)
  const catalog: Catalog = {
    refresh: async () => undefined,
    find: () => current,
    all: () => [current],
    corrupt: () => [],
    natureOf: () => ({ sensitive: current.entry.sensitive }),
    async checks() {
      current = deploy('a harmless one', false)
      return { params: () => undefined, result: () => undefined }
    },
  }
  const asking = {
    ask: async () => Promise.reject(failure('approval.unavailable', { command: 'deploy', problem: 'nobody is here' })),
  }
  const commands = openCommands({ catalog, policy: openPolicy({ allow: ['deploy'] }, catalog.natureOf), approvals: asking })
  const principal = { kind: 'hub', id: 'a'.repeat(32), role: 'hub', scopes: new Set(scopes) } as const
  const context = { principal, signal: new AbortController().signal, progress: () => undefined }
  await expect(commands.invoke({ command: 'deploy', params: {} }, context)).rejects.toMatchObject({
    code: 'approval.unavailable',
  })
  expect(ran).toEqual([])
  await commands.close()
})
