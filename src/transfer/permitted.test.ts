import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Caller } from '../contract/caller.ts'
import { failure } from '../contract/errors.ts'
import { askForFiles } from '../contract/file.ts'
import type { InputOf } from '../contract/operation.ts'
import { copyFiles } from './copy.ts'
import { makePermits } from './disk/permits.ts'
import { request, type TestSide, testSide } from './test-sides.ts'

/** A side on which every path is asked about; `questions` are answered with yes. */
async function askingSide(name: string): Promise<TestSide & { readonly questions: InputOf<typeof askForFiles>[] }> {
  const permits = makePermits()
  const questions: InputOf<typeof askForFiles>[] = []
  const side = await testSide(name, {
    allow(command, path, { permit }) {
      if (!permits.covers(permit, { command, path })) throw failure('policy.asks', { command })
    },
  })
  onTestFinished(() => side[Symbol.asyncDispose]())
  const call = (async (operation, input, options) => {
    if (operation.name !== askForFiles.name) return await side.caller.call(operation, input, options)
    const asked = input as InputOf<typeof askForFiles>
    questions.push(asked)
    const path = join(side.root, asked.path).replace(/\/$/, '')
    return { path, permit: permits.give({ command: `file.${asked.for}`, path }) }
  }) as Caller['call']
  return { ...side, caller: { ...side.caller, call }, questions }
}

test('a copy asks once for each path that is named, and its permit goes with all of it', async () => {
  const [from, to] = [await askingSide('from'), await askingSide('to')]
  await mkdir(join(from.root, 'logs/old'), { recursive: true })
  for (const name of ['a.log', 'b.log', 'old/c.log']) await writeFile(join(from.root, 'logs', name), Buffer.alloc(600_000, 1))
  for (const name of ['d.log', 'old/e.log']) await writeFile(join(from.root, 'logs', name), name)
  const reason = expect.stringMatching(/^to copy from:logs to to:copy$/)
  expect(await copyFiles(request(from, 'logs', to, 'copy'))).toMatchObject({ problems: [], directories: 2 })
  expect((await readdir(join(to.root, 'copy'), { recursive: true })).length).toBe(6)
  expect(from.questions).toEqual([{ path: 'logs', for: 'read', reason }])
  expect(to.questions).toEqual([{ path: 'copy', for: 'write', reason }])

  await mkdir(join(to.root, 'some'))
  await copyFiles(request(from, 'logs/*.log', to, 'some/'))
  expect((await readdir(join(to.root, 'some'))).sort()).toEqual(['a.log', 'b.log', 'd.log'])
  expect(from.questions.slice(1)).toMatchObject([{ path: 'logs', for: 'read' }])
  await copyFiles(request(from, 'logs/d.log', from, 'logs/f.log'))
  expect(from.questions.slice(2)).toMatchObject([
    { path: 'logs/d.log', for: 'read' },
    { path: 'logs/f.log', for: 'write' },
  ])
})

test('a permit is good for its path and what is below it, its command, and until an hour without use', () => {
  const permits = makePermits()
  const permit = permits.give({ command: 'file.read', path: '/srv/a' })
  const read = (path: string, by = permit) => permits.covers(by, { command: 'file.read', path })
  expect([read('/srv/a'), read('/srv/a/b/c')]).toEqual([true, true])
  expect([read('/srv/ab'), read('/srv'), read('/srv/a', 'f'.repeat(64))]).toEqual([false, false, false])
  expect(permits.covers(undefined, { command: 'file.read', path: '/srv/a' })).toBe(false)
  expect(permits.covers(permit, { command: 'file.write', path: '/srv/a' })).toBe(false)
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  vi.advanceTimersByTime(3_500_000)
  expect(read('/srv/a')).toBe(true)
  vi.advanceTimersByTime(3_500_000)
  expect(read('/srv/a')).toBe(true)
  vi.advanceTimersByTime(3_700_000)
  expect(read('/srv/a')).toBe(false)
  for (let n = 0; n < 2_000; n++) permits.give({ command: 'file.read', path: `/srv/${n}` })
  expect(read('/srv/a')).toBe(false)
})
