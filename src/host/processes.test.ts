import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { hostHome } from './home.ts'
import type { KeeperClient } from './keeper/client.ts'
import { claimSpawn } from './keeper/trace.ts'
import { openProcesses } from './processes.ts'

const noKeeper: KeeperClient = {
  find: async () => undefined,
  need: () => Promise.reject(new Error('nobody needs one here')),
  close() {},
}

test('what was looked for and not found can never be started, also by a keeper that was asked before and is late', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-processes-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const processes = openProcesses(hostHome(dir), noKeeper, pino({ level: 'silent' }))
  expect(await processes.find('runs/r', ['MUSTER_RUN=r'])).toEqual({ found: 'none' })
  expect(claimSpawn(join(dir, 'runs', 'r'), new Date().toISOString())).toBe(false)
  processes.close()
})
