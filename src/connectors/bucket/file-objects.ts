// A bucket that is a directory on a file system that both sides mount. What else writes there is not trusted: links are not followed,
// neither as files nor as directories, and nothing but a plain file is read.

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { Listed, Objects } from './objects.ts'

const freshDir = '.fresh'

/** `url` is file:///DIRECTORY, which must exist. */
export function fileObjects(url: string, prefix: string): Objects {
  const bucket = fileURLToPath(url)
  const root = join(bucket, prefix)

  const unavailable = (error: unknown) =>
    failure(
      'bucket.unavailable',
      { bucket: url, problem: error instanceof Error ? error.message : String(error) },
      { cause: error },
    )

  /** The directory itself, made if it is not there. Throws when a link leads elsewhere. */
  async function place(dir: string): Promise<string> {
    const path = join(root, dir)
    // A share that is not mounted must not be filled beneath its mount point.
    const real = await realpath(bucket).catch((error) => {
      throw new Error(`${bucket}: ${describeFileProblem(error)}`, { cause: error })
    })
    await mkdir(path, { recursive: true })
    const expected = join(real, prefix, dir)
    if ((await realpath(path)) !== expected) throw new Error(`${path} is a link`)
    return expected
  }

  async function write(bytes: Uint8Array): Promise<string> {
    const fresh = join(await place(freshDir), randomBytes(12).toString('hex'))
    const file = await open(fresh, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    return fresh
  }

  const fileOf = async (key: string) => join(await place(dirname(key)), key.slice(dirname(key).length + 1))

  return {
    async put(key, bytes) {
      try {
        await rename(await write(bytes), await fileOf(key))
      } catch (error) {
        throw unavailable(error)
      }
    },
    async putIfAbsent(key, bytes) {
      try {
        const fresh = await write(bytes)
        try {
          await link(fresh, await fileOf(key))
          return true
        } catch (error) {
          if (isCode(error, 'EEXIST')) return false
          throw error
        } finally {
          await rm(fresh, { force: true })
        }
      } catch (error) {
        throw unavailable(error)
      }
    },
    async get(key, maxBytes) {
      try {
        const file = await open(await fileOf(key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
        try {
          const { size } = await file.stat().then((found) => (found.isFile() ? found : { size: Infinity }))
          return size > maxBytes ? undefined : await readUpTo(file, size)
        } finally {
          await file.close()
        }
      } catch (error) {
        if (isCode(error, 'ENOENT', 'ELOOP', 'EISDIR', 'ENXIO')) return undefined
        throw unavailable(error)
      }
    },
    async *list(under) {
      try {
        yield* await listBelow(await place(dirname(`${under}x`)), dirname(`${under}x`))
      } catch (error) {
        throw unavailable(error)
      }
    },
    async delete(key) {
      try {
        await rm(await fileOf(key), { force: true })
      } catch (error) {
        throw unavailable(error)
      }
    },
  }
}

/** Not to the end: somebody may make it longer all the while. */
async function readUpTo(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(size)
  let at = 0
  for (let come = -1; at < size && come !== 0; at += come) come = (await file.read(bytes, at, size - at, at)).bytesRead
  return bytes.subarray(0, at)
}

async function listBelow(dir: string, name: string): Promise<Listed[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  const found: Listed[] = []
  for (const entry of entries) {
    const key = `${name}/${entry.name}`
    if (entry.isDirectory()) found.push(...(await listBelow(join(dir, entry.name), key)))
    else if (entry.isFile()) {
      const at = await stat(join(dir, entry.name), { bigint: true }).catch(() => undefined)
      if (at) found.push({ key, tag: `${at.mtimeNs}-${at.ino}-${at.size}`, size: Number(at.size) })
    }
  }
  return found
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
