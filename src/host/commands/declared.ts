// The declared commands of a host: the files NAME.toml of one folder, as they are on disk. A file that cannot be used is named with its
// problem, and the others are served. There is no watching: the folder is looked at when somebody asks, once a second at most.

import { constants } from 'node:fs'
import { lstat, open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { CorruptCommand } from '../../contract/command.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { compileSchema } from '../../contract/json-schema.ts'
import { ownershipProblem } from '../owned-file.ts'
import type { HostCommand } from './command.ts'
import { parseDeclaration } from './declaration.ts'

/** Nobody writes as much by hand; whatever is larger is something else. */
const mostBytes = 64 * 1024
/** With their schemas they must fit into one answer. */
const mostCommands = 256
const mostBytesInAll = 512 * 1024
const lookEveryMs = 1_000

interface Declared {
  readonly commands: readonly HostCommand[]
  readonly corrupt: readonly CorruptCommand[]
}

interface DeclaredCommands {
  /** As they were within the last second. */
  read(): Promise<Declared>
}

type Read = { readonly file: string } & ({ readonly command: HostCommand; readonly bytes: number } | { readonly problem: string })

/** `taken`: names that no declared command may have. Without a folder there are none. */
export function declaredCommands(dir: string | undefined, host: string, taken: ReadonlySet<string>): DeclaredCommands {
  const known = new Map<string, { readonly stamp: string; readonly read: Read }>()
  let latest: Declared = { commands: [], corrupt: [] }
  let looked = -Infinity
  let looking: Promise<void> | undefined

  async function look(folder: string): Promise<void> {
    try {
      latest = fitting(await readFolder(folder))
    } catch (error) {
      latest = { commands: [], corrupt: [{ file: basename(folder), problem: describeFileProblem(error) }] }
    }
    looked = performance.now()
  }

  async function readFolder(folder: string): Promise<Read[]> {
    const found = await stat(folder, { bigint: true }).catch(ifMissing)
    const problem = found && ownershipProblem(found)
    if (problem !== undefined) return [{ file: basename(folder), problem }]
    const files = (await readdir(folder).catch(ifMissing))?.filter((file) => file.endsWith('.toml')).sort() ?? []
    for (const file of known.keys()) if (!files.includes(file)) known.delete(file)
    return Promise.all(files.map((file) => readAnew(folder, file)))
  }

  async function readAnew(folder: string, file: string): Promise<Read> {
    const path = join(folder, file)
    const found = await lstat(path, { bigint: true }).catch(ifMissing)
    const stamp = found ? [found.ino, found.size, found.mode, found.mtimeNs, found.ctimeNs].join() : ''
    const before = known.get(file)
    if (before?.stamp === stamp) return before.read
    const read = await readCommand(path, file)
    known.set(file, { stamp, read })
    return read
  }

  async function readCommand(path: string, file: string): Promise<Read> {
    try {
      const text = await readText(path)
      const command = parseDeclaration(text, host)
      const { name, params, result } = command.entry
      if (`${name}.toml` !== file) throw new Error(`its name is ${name}, so it must be called ${name}.toml`)
      if (taken.has(name)) throw new Error(`${name} is a command of Muster's own`)
      await compiles('params', params)
      await compiles('result', result)
      return { file, command, bytes: JSON.stringify(command.entry).length }
    } catch (error) {
      return { file, problem: problemOf(error) }
    }
  }

  return {
    async read() {
      if (dir === undefined) return latest
      if (performance.now() - looked >= lookEveryMs) {
        looking ??= look(dir).finally(() => {
          looking = undefined
        })
        await looking
      }
      return latest
    },
  }
}

/** Those for which there is room, in the order of their names. */
function fitting(read: readonly Read[]): Declared {
  const commands: HostCommand[] = []
  const corrupt: CorruptCommand[] = []
  let bytes = 0
  for (const one of read) {
    if ('problem' in one) corrupt.push({ file: one.file, problem: one.problem.replace(/\.$/, '') })
    else if (commands.length >= mostCommands || bytes + one.bytes > mostBytesInAll)
      corrupt.push({
        file: one.file,
        problem: `a catalog has room for ${mostCommands} declared commands of ${mostBytesInAll / 1024} KiB in all`,
      })
    else {
      commands.push(one.command)
      bytes += one.bytes
    }
  }
  return { commands, corrupt }
}

async function compiles(what: string, schema: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await compileSchema(schema)
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error })
  }
}

/** A pipe or a device would be read for ever, and what a link leads to could change unseen: only a file of this folder is read. */
async function readText(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const found = await file.stat({ bigint: true })
  if (!found.isFile()) throw new Error('it is no file')
  if (found.size > mostBytes) throw new Error(`it is larger than ${mostBytes / 1024} KiB`)
  const problem = ownershipProblem(found)
  if (problem !== undefined) throw new Error(problem)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
  } catch (cause) {
    throw cause instanceof TypeError ? new Error('it is not UTF-8', { cause }) : cause
  }
}

function problemOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ELOOP') return 'it is a link, and only the file itself is read'
  return code === undefined ? message : describeFileProblem(error)
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
