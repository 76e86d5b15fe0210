import * as fs from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { writeExitRecord } from './exit-record.ts'
import { claimSpawn, readTrace, recordSpawned } from './trace.ts'

vi.mock('node:fs', { spy: true })
afterEach(() => void vi.resetAllMocks())

const at = '2026-01-01T00:00:00.000Z'
const identity = { pid: 42, startTime: 'boot:1' }

async function processDir() {
  const dir = await mkdtemp(join(tmpdir(), 'muster-trace-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

test('a process leaves its traces in order: none, claimed, spawned, ended', async () => {
  const dir = await processDir()
  expect(readTrace(join(dir, 'absent'))).toEqual({ found: 'none' })
  expect(readTrace(dir)).toEqual({ found: 'none' })
  expect(claimSpawn(dir, at)).toBe(true)
  expect(readTrace(dir)).toEqual({ found: 'claimed', startedAt: at })
  recordSpawned(dir, at, identity)
  expect(readTrace(dir)).toEqual({ found: 'spawned', startedAt: at, identity })
  const record = {
    exit: { code: 3, signal: null },
    notStarted: null,
    pid: 42,
    startedAt: at,
    endedAt: at,
    output: { stdout: 1, stderr: 2 },
    diskWasFull: false,
  }
  writeExitRecord(dir, record)
  expect(readTrace(dir)).toEqual({ found: 'ended', record })
})

test('a second claim is refused and changes nothing', async () => {
  const dir = await processDir()
  expect(claimSpawn(dir, at)).toBe(true)
  recordSpawned(dir, at, identity)
  expect(claimSpawn(dir, '2027-01-01T00:00:00.000Z')).toBe(false)
  expect(readTrace(dir)).toEqual({ found: 'spawned', startedAt: at, identity })
})

test('a claim whose writer was killed before its text is still a claim', async () => {
  const dir = await processDir()
  await writeFile(join(dir, 'spawn'), '')
  expect(readTrace(dir)).toMatchObject({ found: 'claimed' })
  expect(claimSpawn(dir, at)).toBe(false)
})

test.each(['', '\0\0\0\0', '{"claimedAt":"2026-'])(
  'a record that a power cut left as %j is a claim all the same',
  async (text) => {
    const dir = await processDir()
    await writeFile(join(dir, 'spawn'), text)
    expect(readTrace(dir)).toEqual({ found: 'claimed', startedAt: expect.any(String) })
    expect(claimSpawn(dir, at)).toBe(false)
  },
)

test('a claim that cannot be made durable is none, and can be made again', async () => {
  const dir = await processDir()
  const { openSync } = await vi.importActual<typeof fs>('node:fs')
  vi.mocked(fs.openSync).mockImplementation((path, flags, mode) => {
    if (path === dir) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    return openSync(path, flags, mode)
  })
  expect(() => claimSpawn(dir, at)).toThrow('too many open files')
  vi.mocked(fs.openSync).mockReset()
  expect(readTrace(dir)).toEqual({ found: 'none' })
  expect(claimSpawn(dir, at)).toBe(true)
})
