import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test, vi } from 'vitest'
import { checkAudit, readAudit } from './audit.ts'
import { openStore } from './store.ts'

const writer = new URL('../../test/programs/audit-writer.ts', import.meta.url).pathname

test('the chain of a log whose writer was killed is whole, holds all that was acknowledged, and goes on', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-audit-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
  const file = join(dir, 'hub.db')
  let head: string | null = null
  for (const more of [1, 60, 170]) {
    const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const acknowledged: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => acknowledged.push(line))
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(more), 30_000)
    child.kill('SIGKILL')
    await once(child, 'close')
    await using store = await openStore({ file })
    const verdict = await checkAudit(store, head ?? undefined)
    expect(verdict).toMatchObject({ ok: true, firstBad: null })
    head = verdict.head
    const there = new Set<string | null>()
    for await (const one of readAudit(store)) {
      if ('entry' in one && one.entry.actor.id === String(child.pid)) there.add(one.entry.subject)
    }
    expect(acknowledged.filter((subject) => !there.has(subject))).toEqual([])
  }
})
