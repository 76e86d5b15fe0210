// The registry: one TOML file a host in $MUSTER_HOME/hosts/, with what a person edits and nothing secret.
// Used by the fleet. A record that cannot be read is reported by its file name and the others are served.

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify, TomlError } from 'smol-toml'
import { z } from 'zod'
import { ConnectorConfig } from '../connectors/config.ts'
import { failure } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import { HostName, Labels } from '../contract/names.ts'

const HostId = z.string().regex(/^host_[0-9A-HJKMNP-TV-Z]{26}$/)
const HostRecord = z.strictObject({
  id: HostId,
  name: HostName,
  labels: Labels.default({}),
  connector: ConnectorConfig,
})
export type HostRecord = z.output<typeof HostRecord>

/** What is wrong with a record's file. */
export interface Trouble {
  readonly file: string
  readonly problem: string
}

export interface Registry {
  readonly dir: string
  fileOf(id: string): string
  /** Every record as it is on disk now. */
  read(): Promise<{ records: HostRecord[]; corrupt: Trouble[] }>
  /** Throws `host.record_corrupt`, also for one that is not there. */
  readOne(id: string): Promise<HostRecord>
  /** Writes a record whole; a crash leaves the old one or the new one. */
  save(record: HostRecord): Promise<void>
  remove(id: string): Promise<void>
}

export async function openRegistry(dir: string): Promise<Registry> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const fileOf = (id: string) => join(dir, `${id}.toml`)
  return {
    dir,
    fileOf,
    async readOne(id) {
      const read = await readRecord(dir, `${id}.toml`)
      if ('problem' in read) throw failure('host.record_corrupt', read)
      return read.record
    },
    async read() {
      const files = (await readdir(dir)).filter((file) => file.endsWith('.toml')).sort()
      const read = await Promise.all(files.map((file) => readRecord(dir, file)))
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

async function readRecord(dir: string, file: string): Promise<{ record: HostRecord } | Trouble> {
  const path = join(dir, file)
  try {
    const parsed = HostRecord.safeParse(parse(await readFile(path, 'utf8')))
    if (!parsed.success) return { file: path, problem: parsed.error.issues.map(describeIssue).join('; ') }
    if (`${parsed.data.id}.toml` !== file) return { file: path, problem: `its id is ${parsed.data.id}` }
    return { record: parsed.data }
  } catch (error) {
    if (error instanceof TomlError) return { file: path, problem: `line ${error.line}, column ${error.column}: not TOML` }
    return { file: path, problem: error instanceof Error ? error.message : String(error) }
  }
}
