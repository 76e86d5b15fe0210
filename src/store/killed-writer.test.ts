import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { expect, test, vi } from 'vitest'
import { lockHome } from './lock.ts'
import { acceptRun, getRun, readEvents } from './runs.ts'
import { openStore } from './store.ts'

const writer = new URL('../../test/programs/store-writer.ts', import.meta.url).pathname

async function home(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'muster-home-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A process that locks the home and writes as fast as it can, printing what was acknowledged. */
function startWriter(path: string) {
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const acknowledged: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => acknowledged.push(line))
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  return { acknowledged, kill, [Symbol.asyncDispose]: kill }
}

test('a home has one holder, in this process and between processes, and a killed holder leaves it free', async () => {
  await using dir = await home()
  {
    using _lock = lockHome(dir.path)
    expect(() => lockHome(dir.path)).toThrow(expect.objectContaining({ code: 'home.locked' }))
  }
  await using other = startWriter(dir.path)
  await vi.waitFor(() => expect(other.acknowledged.length).toBeGreaterThan(0), 30_000)
  expect(() => lockHome(dir.path)).toThrow(expect.objectContaining({ code: 'home.locked' }))
  await other.kill()
  using _lock = lockHome(dir.path)
})

test('a home that cannot be written is home.unusable', () => {
  expect(() => lockHome('/proc/none')).toThrow(expect.objectContaining({ code: 'home.unusable' }))
})

test('everything that was acknowledged by a writer that was killed is there, whole', async () => {
  await using dir = await home()
  for (const more of [1, 400, 900]) {
    await using killed = startWriter(dir.path)
    await vi.waitFor(() => expect(killed.acknowledged.length).toBeGreaterThan(more), 30_000)
    await killed.kill()
    await using store = await openStore({ file: join(dir.path, 'host.db') })
    for (const id of killed.acknowledged) {
      expect(await getRun(store, 'local', id)).toMatchObject({ state: 'running', lastEvent: 2 })
      expect(await readEvents(store, 'local', id, 0, 10)).toHaveLength(2)
    }
    const { integrity_check: integrity } = checkIntegrity(dir.path)
    expect(integrity).toBe('ok')
    await acceptRun(store, {
      host: 'local',
      run: `after-${more}`,
      spec: { kind: 'command', argv: ['true'], env: {}, stdin: 'none', timeoutMs: 1 },
      parent: null,
      title: 't',
      fence: 0,
    })
  }
})

function checkIntegrity(path: string): Record<string, unknown> {
  using database = new DatabaseSync(join(path, 'host.db'))
  return database.prepare('pragma integrity_check').get() ?? {}
}
