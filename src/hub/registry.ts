// The registry: one TOML file a host in $MUSTER_HOME/hosts/, with what a person edits and nothing secret.
// Used by the fleet. A record that cannot be read is reported by its file name and the others are served.

import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parse, stringify, TomlError } from 'smol-toml'
import { z } from 'zod'
import { ConnectorConfig } from '../connectors/config.ts'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import { Trust } from '../contract/host.ts'
import { describeIssue } from '../contract/implementation.ts'
import { HostName, Labels } from '../contract/names.ts'

/** Nobody writes as much by hand; whatever is larger is something else. */
const mostBytes = 64 * 1024
/** Each is an open file for a moment, and there may be thousands. */
const readAtOnce = 64

export const HostId = z.string().regex(/^host_[0-9A-HJKMNP-TV-Z]{26}$/)
const HostRecord = z.strictObject({
  id: HostId,
  name: HostName,
  labels: Labels.default({}),
  /** What this hub may begin there. Without it all that the host's own policy allows. */
  trust: z.strictObject({ allow: Trust }).default({ allow: ['*'] }),
  connector: ConnectorConfig,
})
export type HostRecord = z.output<typeof HostRecord>

/** What is wrong with a record's file. */
export interface Trouble {
  readonly file: string
  readonly problem: string
}

/** A file that is no record; `about`: the ids of hosts that its name and it itself speak of all the same. */
interface Unreadable extends Trouble {
  readonly about: readonly string[]
}

export interface Registry {
  readonly dir: string
  /** The folder was not there and was made. */
  readonly isNew: boolean
  fileOf(id: string): string
  /** Every record as it is on disk now. */
  read(): Promise<{ records: HostRecord[]; corrupt: Unreadable[] }>
  /** Throws `host.record_corrupt`, also for one that is not there. */
  readOne(id: string): Promise<HostRecord>
  /** Writes a record whole; a crash leaves the old one or the new one. */
  save(record: HostRecord): Promise<void>
  remove(id: string): Promise<void>
}

export async function openRegistry(dir: string): Promise<Registry> {
  const isNew = (await mkdir(dir, { recursive: true, mode: 0o700 })) !== undefined
  const fileOf = (id: string) => join(dir, `${id}.toml`)
  return {
    dir,
    isNew,
    fileOf,
    async readOne(id) {
      const read = await readRecord(dir, `${id}.toml`)
      if ('problem' in read) throw failure('host.record_corrupt', read)
      return read.record
    },
    async read() {
      const files = (await readdir(dir)).filter((file) => file.endsWith('.toml')).sort()
      const read = []
      for (let from = 0; from < files.length; from += readAtOnce) {
        read.push(...(await Promise.all(files.slice(from, from + readAtOnce).map((file) => readRecord(dir, file)))))
      }
      return {
        records: read.flatMap((one) => ('record' in one ? [one.record] : [])),
        corrupt: read.flatMap((one) => ('problem' in one ? [one] : [])),
      }
    },
    async save(record) {
      const fresh = `${fileOf(record.id)}.${process.pid}.new`
      await writeFile(fresh, stringify(record), { mode: 0o600, flush: true })
      await rename(fresh, fileOf(record.id))
    },
    remove: (id) => rm(fileOf(id), { force: true }),
  }
}

async function readRecord(dir: string, file: string): Promise<{ record: HostRecord } | Unreadable> {
  const path = join(dir, file)
  const unreadable = (problem: string, ...more: string[]) => ({ file: path, about: [basename(file, '.toml'), ...more], problem })
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    return unreadable(textProblem(error))
  }
  const parsed = parseRecord(text)
  if ('problem' in parsed) return unreadable(parsed.problem)
  const { id } = parsed.record
  return `${id}.toml` === file ? parsed : unreadable(`its id is ${id}, so it must be called ${id}.toml`, id)
}

function parseRecord(text: string): { record: HostRecord } | { problem: string } {
  try {
    const parsed = HostRecord.safeParse(parse(text))
    return parsed.success ? { record: parsed.data } : { problem: parsed.error.issues.map(describeIssue).join('; ') }
  } catch (error) {
    if (error instanceof TomlError) return { problem: `line ${error.line}, column ${error.column}: not TOML` }
    throw error
  }
}

/** A pipe or a device would be read for ever, and what a link leads to could change unseen: only a file of this folder is read. */
async function readText(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const found = await file.stat()
  if (!found.isFile()) throw new NotText('it is no file')
  if (found.size > mostBytes) throw new NotText(`it is larger than ${mostBytes / 1024} KiB`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
  } catch (cause) {
    if (cause instanceof TypeError) throw new NotText('it is not UTF-8')
    throw cause
  }
}

class NotText extends Error {
  override readonly name = 'NotText'
}

function textProblem(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === 'ELOOP'
    ? 'it is a link, and only the file itself is read'
    : describeFileProblem(error)
}
