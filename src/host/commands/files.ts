// `file.read`, `file.write`, `file.list`, `file.stat`: small files inside the directories that the host's policy names.

import { createHash, randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { z } from 'zod'
import { failure, MusterError } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { Time } from '../../contract/names.ts'
import { type Inside, type Jail, openInside, plainPath, unreadable } from '../../transfer/disk/jail.ts'
import { builtIn, plainText, wrongParams } from './builtin.ts'
import type { HostCommand } from './command.ts'
import { textOrBase64 } from './kept-output.ts'

/** With Base64 and all that goes around it, it fits into one message. */
const mostBytes = 512 * 1024
const mostEntries = 1_000

/** As it is asked of the policy: one path is one text. */
const Path = plainText(4096).regex(/^\//, 'it is an absolute path').overwrite(plainPath)
const Kind = z.enum(['file', 'directory', 'link', 'other'])

const Entry = z.strictObject({
  kind: Kind,
  bytes: z.int().nonnegative(),
  mode: z.string().regex(/^[0-7]{4}$/),
  modifiedAt: Time,
})

const ReadParams = z.strictObject({
  path: Path,
  offset: z.int().nonnegative().default(0),
  limit: z.int().min(1).max(mostBytes).default(mostBytes),
})
const WriteParams = z.strictObject({
  path: Path,
  text: z.string().optional(),
  base64: z.string().optional(),
  overwrite: z.boolean().default(false),
})
const ListParams = z.strictObject({ path: Path, after: z.string().max(4096).default('') })

export function fileCommands(jail: () => Jail): HostCommand[] {
  return [
    builtIn({
      name: 'file.read',
      description: `Reads a regular file, or ${mostBytes / 1024} KiB of it from an offset on. Text is text; what is none comes in Base64.`,
      params: ReadParams,
      result: z.strictObject({
        bytes: z.int().nonnegative().meta({ description: 'How large the file is.' }),
        offset: z.int().nonnegative(),
        text: z.string().optional(),
        base64: z.string().optional(),
        end: z.boolean().meta({ description: 'Nothing comes after this.' }),
      }),
      run: (params) => inside(jail(), params.path, 'entry', (dir) => readFile(dir, params)),
    }),
    builtIn({
      name: 'file.write',
      description: 'Writes a whole file at once: a reader sees the former or the new one, also after a loss of power.',
      params: WriteParams,
      result: z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string() }),
      run: (params) => {
        const content = contentOf(params)
        return inside(jail(), params.path, 'entry', (dir) => writeFile(dir, params, content))
      },
    }),
    builtIn({
      name: 'file.list',
      description: `Lists a directory by name, ${mostEntries} entries at a time.`,
      params: ListParams,
      result: z.strictObject({
        entries: z.array(Entry.extend({ name: z.string() })),
        more: z.boolean().meta({ description: 'Ask again with `after`, the last name.' }),
      }),
      run: (params) => inside(jail(), params.path, 'directory', (dir) => listDirectory(dir, params)),
    }),
    builtIn({
      name: 'file.stat',
      description: 'What is at a path: its kind, size, mode and time of change. A link is told as a link.',
      params: z.strictObject({ path: Path }),
      result: Entry,
      run: ({ path }) =>
        inside(jail(), path, 'entry', async (dir) => {
          try {
            return describe(await lstat(dir.entry(dir.name)))
          } catch (error) {
            throw unreadable(path, error)
          }
        }),
    }),
  ]
}

async function inside<T>(jail: Jail, path: string, as: 'directory' | 'entry', work: (dir: Inside) => Promise<T>): Promise<T> {
  await using dir = await openInside(jail, path, as)
  return await work(dir)
}

async function readFile(dir: Inside, { path, offset, limit }: z.output<typeof ReadParams>) {
  try {
    // Not held up by a FIFO, and not led on by a link.
    await using file = await open(dir.entry(dir.name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const found = await file.stat()
    if (!found.isFile())
      throw failure('file.unreadable', { file: path, problem: `it is a ${kindOf(found)}, and no regular file` })
    const { bytesRead, buffer } = await file.read(Buffer.alloc(limit), 0, limit, offset)
    const bytes = buffer.subarray(0, bytesRead)
    // It may have grown meanwhile.
    const size = bytesRead === 0 ? found.size : Math.max(found.size, offset + bytesRead)
    return { bytes: size, offset, ...textOrBase64(bytes), end: offset + bytesRead >= size }
  } catch (error) {
    throw isTold(error) ? error : unreadable(path, error)
  }
}

function contentOf({ path, text, base64 }: z.output<typeof WriteParams>): Buffer {
  if ((text === undefined) === (base64 === undefined))
    throw wrongParams('file.write', 'it wants `text` or `base64`, and one of them')
  const bytes = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text, 'utf8')
  // The decoder passes over what is no Base64.
  if (base64 !== undefined && bytes.toString('base64') !== base64)
    throw wrongParams('file.write', '`base64` is not Base64, to the letter')
  if (text !== undefined && !text.isWellFormed()) throw wrongParams('file.write', '`text` holds half a character')
  if (bytes.length > mostBytes) throw failure('file.too_large', { path, bytes: bytes.length, limit: mostBytes })
  return bytes
}

async function writeFile(dir: Inside, { path, overwrite }: z.output<typeof WriteParams>, content: Buffer) {
  const fresh = dir.entry(`.muster-${randomBytes(8).toString('hex')}.new`)
  const target = dir.entry(dir.name)
  try {
    const found = await lstat(target).catch(() => undefined)
    if (found && !found.isFile()) throw failure('file.unwritable', { file: path, problem: `a ${kindOf(found)} is there` })
    {
      await using file = await open(fresh, 'wx', found ? found.mode & 0o777 : 0o644)
      await file.writeFile(content)
      await file.sync()
    }
    if (overwrite) await rename(fresh, target)
    else await link(fresh, target)
    await dir.sync()
  } catch (error) {
    if (isTold(error)) throw error
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw failure(
        'file.unwritable',
        { file: path, problem: 'it is there already, and `overwrite` was not asked for' },
        { cause: error },
      )
    throw failure('file.unwritable', { file: path, problem: describeFileProblem(error) }, { cause: error })
  } finally {
    await rm(fresh, { force: true })
  }
  return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
}

async function listDirectory(dir: Inside, { path, after }: z.output<typeof ListParams>) {
  try {
    const names = (await readdir(dir.entry('.'))).filter((name) => name > after).sort()
    const entries = await Promise.all(
      names.slice(0, mostEntries).map(async (name) => {
        // One that has gone meanwhile is none.
        const found = await lstat(dir.entry(name)).catch(() => undefined)
        return found ? [{ name, ...describe(found) }] : []
      }),
    )
    return { entries: entries.flat(), more: names.length > mostEntries }
  } catch (error) {
    throw unreadable(path, error)
  }
}

function describe(found: Stats) {
  return {
    kind: kindOf(found),
    bytes: found.size,
    mode: (found.mode & 0o7777).toString(8).padStart(4, '0'),
    modifiedAt: found.mtime.toISOString(),
  }
}

function kindOf(found: Stats): z.output<typeof Kind> {
  if (found.isFile()) return 'file'
  if (found.isDirectory()) return 'directory'
  return found.isSymbolicLink() ? 'link' : 'other'
}

/** In the catalogue's words already. */
function isTold(error: unknown): boolean {
  return error instanceof MusterError
}
