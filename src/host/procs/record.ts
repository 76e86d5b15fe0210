// What a host keeps on disk of a proc, so that a reopened host knows it again: `procs/NAME.GENERATION/proc.json`.

import { createHash, timingSafeEqual } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ProcName } from '../../contract/names.ts'
import { ProcSpec } from '../../contract/proc.ts'
import type { HostHome } from '../home.ts'
import { readIfThere, replaceDurably } from '../keeper/durable.ts'

const ProcRecord = z.object({
  name: ProcName,
  generation: z.int().positive(),
  spec: ProcSpec,
  /** SHA-256 of the secret: the record does not give it away. */
  secretHash: z.string(),
  stopAsked: z.boolean(),
})
export type ProcRecord = z.output<typeof ProcRecord>

export function procDir(home: HostHome, { name, generation }: Pick<ProcRecord, 'name' | 'generation'>): string {
  return join(home.procsDir, `${name}.${generation}`)
}

export function saveProcRecord(home: HostHome, record: ProcRecord): void {
  const dir = procDir(home, record)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  replaceDurably(join(dir, 'proc.json'), JSON.stringify(record))
}

/** The latest generation of each proc that this host ever had. */
export function loadProcRecords(home: HostHome): ProcRecord[] {
  const latest = new Map<string, ProcRecord>()
  for (const entry of readdirSync(home.procsDir)) {
    const text = readIfThere(join(home.procsDir, entry, 'proc.json'))
    if (text === undefined) continue
    const record = ProcRecord.parse(JSON.parse(text))
    if ((latest.get(record.name)?.generation ?? 0) < record.generation) latest.set(record.name, record)
  }
  return [...latest.values()]
}

export function removeProcDir(home: HostHome, record: ProcRecord): void {
  rmSync(procDir(home, record), { recursive: true, force: true })
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

export function isSecretOf(record: ProcRecord, secret: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret)), Buffer.from(record.secretHash))
}
