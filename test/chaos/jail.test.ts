// A million paths against the jail of files, beside a thread that swaps directories and files for links which lead out, all the time. What
// is outside says so: not one byte of it is read, and nothing is ever written there.

import { constants } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { MusterError } from '../../src/contract/errors.ts'
import { FilePath } from '../../src/contract/file.ts'
import { type Held, openInside } from '../../src/transfer/disk/jail.ts'
import { openToRead } from '../../src/transfer/disk/open-file.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const atOnce = 16
/** Those that reach the disk, and race: one of so many. The others are turned away by how they are written. */
const oneInReaches = 20

const parts = [
  '..',
  '.',
  '',
  '...',
  '. .',
  '..\u0000',
  '%2e%2e',
  '．．',
  '‥',
  '\u202e..',
  'a/../..',
  '..\\',
  '~',
  '-',
  '*',
  'etc',
  'passwd',
  'secret',
]
const plain = ['dir', 'deep', 'file', 'fixed', 'missing', 'dir.link', 'file.link', 'out', 'ünï', 'u\u0308ni']

interface Place extends AsyncDisposable {
  readonly root: string
  readonly outside: string
}

async function makePlace(): Promise<Place> {
  const base = await mkdtemp(join(tmpdir(), 'muster-jail-'))
  const [root, outside] = [join(base, 'root'), join(base, 'outside')]
  for (const [dir, says] of [
    [root, 'inside'],
    [outside, 'SECRET'],
  ] as const) {
    await mkdir(join(dir, 'dir/deep'), { recursive: true })
    for (const file of ['file', 'dir/file', 'dir/deep/file', 'fixed', 'secret']) await writeFile(join(dir, file), says)
  }
  await symlink(outside, join(root, 'out'))
  return { root, outside, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) }
}

async function swapping({ root, outside }: Place): Promise<AsyncDisposable> {
  const worker = new Worker(new URL('../programs/swap-links.ts', import.meta.url), {
    workerData: { inside: root, outside, names: ['dir', 'file'] },
  })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { [Symbol.asyncDispose]: async () => void (await worker.terminate()) }
}

test('a million paths, and a thread that swaps links: nothing outside is read or written', async () => {
  await using place = await makePlace()
  const random = seededRandom()
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const { root, outside } = place
  const full = trials(1_000_000, 20_000)
  const tally = { tried: 0, read: 0, written: 0, refused: 0, escaped: 0 }
  const heads = [root, `${root}/`, `${root}x`, outside, '/', '', '.', '..', `${root}/../outside`, `${root}/out`]
  const path = () => {
    if (tally.tried++ % oneInReaches === 0)
      return [root, ...Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(plain))].join('/')
    const more = Array.from({ length: Math.floor(random() * 5) }, () => pick(random() < 0.6 ? parts : plain))
    return [pick(heads), ...more].join('/')
  }

  async function attempt(by: Held): Promise<void> {
    const asked = path()
    if (!FilePath.safeParse(asked).success) return void tally.refused++
    try {
      await using dir = await openInside({ roots: [root] }, asked, 'entry', by)
      if (by === 'proc' && random() < 0.3) return await write(dir.entry(`made-${tally.tried}`))
      const opened = await openToRead(dir, asked)
      await using file = opened.file
      const text = (await file.readFile('utf8')).trim()
      tally.read++
      if (text !== 'inside') tally.escaped++
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      tally.refused++
    }
  }

  async function write(name: string): Promise<void> {
    try {
      await using file = await open(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW)
      await file.write('made')
      tally.written++
    } catch (error) {
      // It was moved away, or it is a link by now.
      if (!['ENOENT', 'ELOOP', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }

  await using _swaps = await swapping(place)
  for (const by of ['proc', 'none'] as const) {
    const until = tally.tried + full / 2
    const worker = async () => {
      while (tally.tried < until) await attempt(by)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  const names = await readdir(outside, { recursive: true })
  expect({ escaped: tally.escaped, made: names.filter((name) => name.includes('made-')) }, `seed ${seed}`).toEqual({
    escaped: 0,
    made: [],
  })
  // Else it has shown nothing.
  for (const some of [tally.read, tally.written, tally.refused]) expect(some).toBeGreaterThan(full / 1000)
  report(
    `jail: ${tally.tried} paths, ${tally.read} read, ${tally.written} written, ${tally.refused} refused, ${tally.escaped} escaped (seed ${seed})`,
  )
})
