// Files: copied there and back whatever carries them, by the one engine that `muster cp` has; in the directory that a host exposes by
// itself. What a connector may not do is lose a byte, or let a path out.

import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect } from 'vitest'
import { fileLimits, lookAtFile, walkFiles } from '../../../../src/contract/file.ts'
import { copyFiles } from '../../../../src/transfer/copy.ts'
import { filesHere } from '../../../../src/transfer/here.ts'
import type { Side } from '../../../../src/transfer/side.ts'
import type { CaseGroup } from '../case.ts'
import type { Subject } from '../subject.ts'

const chunk = 4 * 1024 * 1024
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

interface Sides {
  readonly here: Side
  readonly there: Side
  /** An empty directory here, and the name of one that is not there yet. */
  readonly dir: string
  readonly name: string
}

async function sides({ asked, host, freshPath }: Subject): Promise<Sides> {
  const dir = freshPath('files')
  await mkdir(dir)
  const here = { caller: filesHere(), name: '', id: 'here' }
  return { here, there: { caller: asked, name: host, id: host }, dir, name: basename(dir) }
}

function copy(from: Side, path: string, to: Side, target: string, signal = new AbortController().signal) {
  const how = { intoDirectory: false, recursive: true, again: false, replace: true, dryRun: false }
  return copyFiles({ sources: [{ side: from, path }], target: { side: to, path: target }, ...how, signal })
}

export const files: CaseGroup = {
  title: 'files',
  how: 'together',
  cases: [
    {
      name: 'a file goes there and comes back, with the SHA-256 that both ends have counted',
      async check(subject) {
        const { here, there, dir, name } = await sides(subject)
        const bytes = randomBytes(chunk + 12_345)
        await writeFile(join(dir, 'file'), bytes)
        const sent = await copy(here, join(dir, 'file'), there, name)
        expect(sent.copied).toMatchObject([{ bytes: bytes.length, sha256: sha256(bytes) }])
        const back = await copy(there, name, here, join(dir, 'back'))
        expect(back.copied).toMatchObject([{ sha256: sha256(bytes) }])
        expect((await readFile(join(dir, 'back'))).equals(bytes)).toBe(true)
      },
    },
    {
      name: 'a tree comes as it is, with modes and times, and is not sent again',
      async check(subject) {
        const { here, there, dir, name } = await sides(subject)
        await mkdir(join(dir, name, 'sub/empty'), { recursive: true })
        for (const one of ['a\nb', '-rf', 'ünïcödé', 'sub/漢字']) await writeFile(join(dir, name, one), one)
        await writeFile(join(dir, name, 'sub/large'), randomBytes(fileLimits.smallBytes + 1))
        await chmod(join(dir, name, '-rf'), 0o640)
        await utimes(join(dir, name, '-rf'), 1_700_000_000.5, 1_700_000_000.5)
        expect((await copy(here, join(dir, name), there, '')).problems).toEqual([])
        expect(await copy(here, join(dir, name), there, '')).toMatchObject({ copied: [], left: 5 })
        expect((await copy(there, name, here, join(dir, 'back'))).problems).toEqual([])
        const list = async (of: string) => (await readdir(join(dir, of), { recursive: true })).sort()
        expect(await list('back')).toEqual(await list(name))
        expect((await readFile(join(dir, 'back/sub/漢字'))).toString()).toBe('sub/漢字')
        const found = await stat(join(dir, 'back/-rf'))
        expect([found.mode & 0o777, Math.floor(found.mtimeMs)]).toEqual([0o640, 1_700_000_000_500])
      },
    },
    {
      name: 'what is there is told, and a glob is matched there',
      async check(subject) {
        const { here, there, dir, name } = await sides(subject)
        await mkdir(join(dir, name))
        for (const one of ['a.log', 'b.log', 'c.txt']) await writeFile(join(dir, name, one), one)
        await copy(here, join(dir, name), there, '')
        expect(await there.caller.call(lookAtFile, { path: `${name}/none` })).toMatchObject({ found: null })
        expect(await there.caller.call(lookAtFile, { path: name })).toMatchObject({ found: { kind: 'directory' } })
        const names: string[] = []
        for await (const one of there.caller.items(walkFiles, { path: name, glob: '*.log' })) names.push(`${one.n} ${one.name}`)
        expect(names).toEqual(['1 a.log', '2 b.log'])
        const back = await copy(there, `${name}/*.log`, here, dir)
        expect(back.copied.map(({ to }) => basename(to))).toEqual(['a.log', 'b.log'])
      },
    },
    {
      name: 'outside of what the host exposes nothing is read or written, and the refusal names what it exposes',
      async check(subject) {
        const { here, there, dir, name } = await sides(subject)
        await writeFile(join(dir, 'file'), 'x')
        const outside = { code: 'file.outside', message: expect.stringContaining('it exposes /') }
        for (const path of [join(dir, 'out'), `/etc/${name}`, `../${name}`, `${name}/../../out`]) {
          await expect(copy(here, join(dir, 'file'), there, path)).rejects.toMatchObject(outside)
          await expect(copy(there, path, here, join(dir, 'in'))).rejects.toMatchObject(outside)
        }
        expect(await readdir(dir)).toEqual(['file'])
      },
    },
    {
      name: 'a copy that was broken off is gone on with where it stood',
      async check(subject) {
        const { here, there, dir, name } = await sides(subject)
        const bytes = randomBytes(3 * chunk)
        await writeFile(join(dir, 'file'), bytes)
        const leaving = new AbortController()
        const half = { ...there, caller: { ...there.caller, upload: leavesHalfWay(there, leaving) } }
        await expect(copy(here, join(dir, 'file'), half, name, leaving.signal)).rejects.toThrow()
        const { copied, resumedBytes, sentBytes } = await copy(here, join(dir, 'file'), there, name)
        expect(copied).toMatchObject([{ sha256: sha256(bytes) }])
        expect(resumedBytes + sentBytes).toBe(bytes.length)
        expect(resumedBytes).toBeGreaterThan(0)
      },
    },
  ],
}

/** Sends most of the body, has it arrive, and leaves. */
function leavesHalfWay({ caller }: Side, leaving: AbortController): typeof caller.upload {
  return async (operation, input, body, options) => {
    async function* most(): AsyncGenerator<Uint8Array> {
      let left = 2 * chunk
      for await (const piece of body) {
        left -= piece.byteLength
        if (left < 0) return
        yield piece
      }
    }
    const answer = await caller.upload(operation, input, most(), options)
    leaving.abort()
    return answer
  }
}
