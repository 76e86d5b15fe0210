import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { seed, seededRandom } from '../../../test/resources/seeded.ts'
import { bufferBytes } from './aligned.ts'
import { fileWriter } from './file-writer.ts'

async function file(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-writer-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return join(dir, 'file')
}

test('pieces and holes of any sizes, from any place on, are the file that they make', async () => {
  const random = seededRandom()
  const below = (most: number) => Math.floor(random() * most)
  const path = await file()
  for (let n = 0; n < 30; n++) {
    await using handle = await open(path, 'w+')
    const front = Buffer.alloc(below(3) * 2048 + below(3), 9)
    await handle.write(front)
    const writer = fileWriter(handle, front.length)
    const parts: Buffer[] = [front]
    for (let part = below(12); part > 0; part--) {
      const length = [1, 100, 4096, 65_536, bufferBytes, below(2.5 * bufferBytes)][below(6)] as number
      const isHole = random() < 0.3
      const bytes = Buffer.alloc(length, isHole ? 0 : 1 + below(255))
      if (isHole) await writer.skip(length)
      else await writer.write(bytes)
      parts.push(bytes)
    }
    await writer.end()
    const whole = Buffer.concat(parts)
    await handle.truncate(whole.length)
    expect((await readFile(path)).equals(whole), `seed ${seed}, round ${n}`).toBe(true)
  }
})

test('where the file system has no way past its cache, it is written through that', async () => {
  const path = await file()
  await using handle = await open(path, 'w+')
  const prototype = Object.getPrototypeOf(handle)
  const write = prototype.write
  let refused = 0
  vi.spyOn(prototype, 'write').mockImplementation(async function (this: unknown, ...of: unknown[]) {
    if (this === handle) return await write.apply(handle, of)
    refused++
    throw Object.assign(new Error('invalid argument'), { code: 'EINVAL', syscall: 'write' })
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const writer = fileWriter(handle, 0)
  const bytes = Buffer.alloc(3.5 * bufferBytes, 7)
  await writer.write(bytes)
  await writer.end()
  expect((await readFile(path)).equals(bytes)).toBe(true)
  if (process.platform === 'linux') expect(refused).toBe(1)
})

test('what the disk says is thrown at the end at the latest, and the memory serves the next', async () => {
  for (let n = 0; n < 10; n++) {
    const handle = await open(await file(), 'w+')
    const writer = fileWriter(handle, 0)
    await writer.write(Buffer.alloc(1000, 1))
    await handle.close()
    await expect(writer.end()).rejects.toThrow()
  }
  const path = await file()
  await using handle = await open(path, 'w+')
  const writer = fileWriter(handle, 0)
  await writer.write(Buffer.from('after'))
  await writer.end()
  expect((await stat(path)).size).toBe(5)
})
