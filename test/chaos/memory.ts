// What a test has cost in memory: of this process after a collection, and of another one as the system sees it.

import { readFile, writeFile } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const mebi = 1024 * 1024

/** Starts measuring; call the answer for MiB of heap and buffers grown since, after a collection. */
export function measureHeap(): () => number {
  const before = heapNow()
  return () => (heapNow() - before) / mebi
}

function heapNow(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Resident memory of a process, in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  return fieldMiB(pid, 'VmRSS')
}

/** The most that was resident since the process began, or since `forgetPeak`. */
export async function peakMiB(pid: number): Promise<number> {
  return fieldMiB(pid, 'VmHWM')
}

/** The peak is what is resident now. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

async function fieldMiB(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
}

export function mib(amount: number): string {
  return `${amount.toFixed(1)} MiB`
}
